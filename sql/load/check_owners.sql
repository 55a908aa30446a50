-- Tables that a window role owns or could act as owner of. $1 window roles.
SELECT DISTINCT pg_catalog.format('%I.%I', n.nspname, c.relname), r.rolname::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace, pg_catalog.pg_roles r
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
  AND r.rolname = ANY ($1::text[]) AND pg_catalog.pg_has_role(r.oid, c.relowner, 'MEMBER')
ORDER BY 1, 2
