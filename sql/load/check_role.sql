-- If a role could log in to a database. $1 role, $2 database.
SELECT r.rolcanlogin, r.rolsuper, coalesce(r.rolvaliduntil <= pg_catalog.now(), false) AS expired,
       pg_catalog.has_database_privilege(r.oid, d.oid, 'CONNECT') AS may_connect,
       ARRAY(SELECT g.rolname::text FROM pg_catalog.pg_roles g WHERE pg_catalog.pg_has_role(r.oid, g.oid, 'MEMBER')) AS member_of
FROM pg_catalog.pg_roles r LEFT JOIN pg_catalog.pg_database d ON d.datname = $2
WHERE r.rolname = $1
