-- TimeZone and search_path as a new session of this database has them; asked in a session without settings of ours. No parameters.
WITH own AS (
  SELECT pg_catalog.lower(pg_catalog.split_part(kv, '=', 1)) AS name,
         pg_catalog.substr(kv, pg_catalog.strpos(kv, '=') + 1) AS value
  FROM pg_catalog.pg_db_role_setting s
  JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase AND d.datname = pg_catalog.current_database()
  CROSS JOIN pg_catalog.unnest(s.setconfig) AS kv
  WHERE s.setrole = 0)
SELECT coalesce((SELECT value FROM own WHERE name = 'timezone'), pg_catalog.current_setting('TimeZone')),
       coalesce((SELECT value FROM own WHERE name = 'search_path'), pg_catalog.current_setting('search_path'));
