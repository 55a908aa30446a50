-- For this transaction, functions of the HIS find what they name without a schema, as in a session of a window; an index
-- may call one, and then even reading its table needs it. No parameters.
SELECT pg_catalog.set_config('search_path', 'pg_catalog, ' || coalesce(
  (SELECT nullif(pg_catalog.substr(kv, pg_catalog.length('search_path=') + 1), '')
   FROM pg_catalog.pg_db_role_setting s
   JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase AND d.datname = pg_catalog.current_database()
   CROSS JOIN pg_catalog.unnest(s.setconfig) AS kv
   WHERE s.setrole = 0 AND pg_catalog.starts_with(kv, 'search_path=')), 'public'), true)
