-- Tables that inherit from another without being its partition. No parameters.
SELECT pn.nspname::text AS schema, p.relname::text AS name, cn.nspname::text AS child_schema, c.relname::text AS child_name
FROM pg_catalog.pg_inherits i
JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
WHERE c.relkind = 'r' AND NOT c.relispartition
ORDER BY 1, 2, 3, 4;
