-- Sequences outside system schemas. No parameters.
SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'his_emergency') AND n.nspname !~ '^pg_(toast|temp)'
ORDER BY 1, 2;
