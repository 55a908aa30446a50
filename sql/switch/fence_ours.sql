-- Those of our own roles that are here and may not connect. $1 our own roles.
SELECT rolname::text FROM pg_catalog.pg_roles
WHERE rolname = ANY ($1::text[]) AND NOT pg_catalog.has_database_privilege(oid, pg_catalog.current_database(), 'CONNECT')
ORDER BY rolname;
