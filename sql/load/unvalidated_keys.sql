-- Foreign keys that are not validated. No parameters.
SELECT c.oid, n.nspname::text, t.relname::text, c.conname::text
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_class t ON t.oid = c.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
WHERE c.contype = 'f' AND NOT c.convalidated AND c.conparentid = 0
ORDER BY t.relpages DESC, n.nspname, t.relname, c.conname;
