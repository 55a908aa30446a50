-- Rewrite rules on tables. No parameters.
SELECT n.nspname::text AS schema, c.relname::text AS name, r.rulename::text AS rule
FROM pg_catalog.pg_rewrite r
JOIN pg_catalog.pg_class c ON c.oid = r.ev_class AND c.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
ORDER BY 1, 2, 3;
