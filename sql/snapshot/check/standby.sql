-- What the standby server brings along. $1: extensions that the primary uses.
SELECT pg_catalog.current_setting('server_version_num')::int AS server_version,
       (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS system_identifier,
       pg_catalog.current_setting('max_prepared_transactions')::int AS max_prepared_transactions,
       ARRAY(SELECT e FROM pg_catalog.unnest($1::text[]) AS e
             WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_available_extensions a WHERE a.name = e)) AS missing_extensions;
