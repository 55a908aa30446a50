-- Roles that can log in and connect to this database, superusers and our own left out. $1 our own roles.
SELECT rolname::text FROM pg_catalog.pg_roles
WHERE rolcanlogin AND NOT rolsuper AND rolname <> ALL ($1::text[])
  AND pg_catalog.has_database_privilege(oid, pg_catalog.current_database(), 'CONNECT')
ORDER BY rolname;
