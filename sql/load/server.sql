-- What the standby server must be like. No parameters.
SELECT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AS superuser,
       pg_catalog.current_setting('max_prepared_transactions')::int AS prepared,
       pg_catalog.current_setting('server_version_num')::int AS version,
       pg_catalog.pg_is_in_recovery() AS replica;
