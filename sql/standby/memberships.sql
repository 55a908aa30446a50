-- Who is a member of what on this server. No parameters.
SELECT m.rolname::text AS member, g.rolname::text AS role
FROM pg_catalog.pg_auth_members a
JOIN pg_catalog.pg_roles m ON m.oid = a.member
JOIN pg_catalog.pg_roles g ON g.oid = a.roleid
ORDER BY 1, 2;
