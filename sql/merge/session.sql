-- The database's own TimeZone and search_path, under which its functions run, and which server this is. No parameters.
SELECT (SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'TimeZone'),
       coalesce((SELECT pg_catalog.substr(setting, 13)
                 FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) AS setting
                 WHERE s.setrole = 0 AND s.setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
                   AND setting LIKE 'search\_path=%'), '"$user", public'),
       (SELECT system_identifier::text FROM pg_catalog.pg_control_system()),
       pg_catalog.pg_is_in_recovery();
