-- Tables and sequences of the database that this role may not read; pg_dump must lock each table, and reads each sequence. No parameters.
SELECT n.nspname::text AS schema, c.relname::text AS name, c.relkind = 'S' AS sequence
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'S')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'his_emergency')
  AND n.nspname !~ '^pg_(toast|temp)'
  AND (NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE')
       OR CASE c.relkind WHEN 'S' THEN NOT pg_catalog.has_sequence_privilege(c.oid, 'SELECT')
                         ELSE NOT pg_catalog.has_table_privilege(c.oid, 'SELECT') END)
ORDER BY n.nspname, c.relname;
