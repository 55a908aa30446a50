-- Tables of which row-level security would hide rows from this role. No parameters; needs row_security = on.
SELECT n.nspname::text AS schema, c.relname::text AS name
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relrowsecurity AND pg_catalog.row_security_active(c.oid)
ORDER BY n.nspname, c.relname;
