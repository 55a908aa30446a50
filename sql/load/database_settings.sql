-- Read-only defaults of one database, its own (role empty) and those of roles, in it or anywhere, that would step over it. $1 database.
SELECT coalesce(r.rolname::text, '') AS role, pg_catalog.split_part(kv, '=', 2) AS value
FROM pg_catalog.pg_db_role_setting s
LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
CROSS JOIN pg_catalog.unnest(s.setconfig) AS kv
WHERE pg_catalog.split_part(kv, '=', 1) = 'default_transaction_read_only'
  AND (d.datname = $1 OR s.setdatabase = 0 AND s.setrole <> 0)
ORDER BY 1;
