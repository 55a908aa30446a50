-- Which of these roles have no CONNECT of their own on a database. $1 database, $2 roles. PUBLIC's may be revoked by a fence, so it does not count.
SELECT r.rolname::text FROM pg_catalog.pg_roles r, pg_catalog.pg_database d
WHERE d.datname = $1 AND r.rolname = ANY ($2::text[])
  AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(d.datacl) a WHERE a.grantee = r.oid AND a.privilege_type = 'CONNECT')
ORDER BY r.rolname
