-- The table with the most rows. $1 names of tables, quoted.
SELECT t.name FROM pg_catalog.unnest($1::text[]) t(name) JOIN pg_catalog.pg_class c ON c.oid = t.name::pg_catalog.regclass
ORDER BY c.reltuples DESC, t.name LIMIT 1;
