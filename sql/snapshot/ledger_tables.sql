-- Names the tables of the merge ledger and their columns; the record of a fence is no part of it. No parameters.
SELECT c.relname::text,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'his_emergency' AND c.relkind = 'r' AND c.relname !~ '^fence'
ORDER BY c.relname;
