-- What the fence changed, the last change first; the role's and the grantor's existence beside it. No parameters.
SELECT p.act, p.role, p.grantor, p.grantable, p.role IS NULL OR r.oid IS NOT NULL, p.grantor IS NULL OR g.oid IS NOT NULL
FROM his_emergency.fence_part p
LEFT JOIN pg_catalog.pg_roles r ON r.rolname = p.role
LEFT JOIN pg_catalog.pg_roles g ON g.rolname = p.grantor
ORDER BY p.part DESC;
