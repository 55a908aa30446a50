-- Tables and sequences that a role without superuser rights owns. No parameters. A sequence that a column owns goes with its table.
SELECT n.nspname::text, c.relname::text, c.relkind = 'S' AS sequence, o.rolname::text AS owner,
       c.relrowsecurity AND NOT c.relforcerowsecurity AS owner_sees_all,
       EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid AND NOT p.polpermissive) AS restricted,
       EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
               AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass) AS follows
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
WHERE c.relkind IN ('r', 'p', 'S') AND NOT o.rolsuper
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'his_emergency') AND n.nspname !~ '^pg_(toast|temp)'
ORDER BY sequence, n.nspname, c.relname;
