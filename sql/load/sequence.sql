-- Puts one sequence where the primary's stood. Parameters: sequence (quoted). $1 last value, $2 is called.
SELECT pg_catalog.setval({{ sequence | lit }}::pg_catalog.regclass, $1::bigint, $2::boolean);
