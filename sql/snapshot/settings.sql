-- Settings of this database, and of roles in this database. No parameters.
SELECT r.rolname::text AS role,
       pg_catalog.split_part(kv, '=', 1) AS name,
       pg_catalog.substr(kv, pg_catalog.strpos(kv, '=') + 1) AS value
FROM pg_catalog.pg_db_role_setting s
JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase AND d.datname = pg_catalog.current_database()
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
CROSS JOIN pg_catalog.unnest(s.setconfig) AS kv
WHERE s.setrole = 0 OR r.oid IS NOT NULL
ORDER BY r.rolname NULLS FIRST, name;
