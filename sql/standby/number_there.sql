-- Says if a sequence is there. $1 sequence, quoted.
SELECT coalesce((SELECT relkind = 'S' FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass($1)::oid), false)
