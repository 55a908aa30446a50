-- Settings of roles in every database. No parameters.
SELECT r.rolname::text, kv FROM pg_catalog.pg_db_role_setting s
JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
CROSS JOIN pg_catalog.unnest(s.setconfig) AS kv
WHERE s.setdatabase = 0
ORDER BY 1, 2;
