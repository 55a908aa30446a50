-- What a step forward has kept for the way back, in its order. No parameters; the tables are there only after a delta.
SELECT k.no, k.schema_name, k.table_name, k.columns, k.key, c.relkind = 'p' AS partitioned
FROM his_emergency.kept k
JOIN pg_catalog.pg_namespace n ON n.nspname = k.schema_name
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = k.table_name
ORDER BY k.no
