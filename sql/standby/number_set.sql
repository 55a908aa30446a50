-- Sets the number that a sequence hands out next. $1 next. Parameters: sequence (quoted).
SELECT pg_catalog.setval({{ sequence | lit }}::pg_catalog.regclass, $1::bigint, false)
