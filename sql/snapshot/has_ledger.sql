-- Says if the primary has a merge ledger. No parameters.
SELECT pg_catalog.count(*) = 2
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'his_emergency' AND c.relname IN ('event', 'merge_run') AND c.relkind = 'r';
