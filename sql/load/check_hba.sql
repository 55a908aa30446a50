-- The rules of pg_hba.conf in the order in which they are tried. No parameters.
SELECT line_number, coalesce(type, ''), coalesce(database, '{}')::text[], coalesce(user_name, '{}')::text[], coalesce(address, ''), coalesce(auth_method, ''), coalesce(error, ''),
       pg_catalog.current_setting('listen_addresses') = '' AS sockets_only
FROM pg_catalog.pg_hba_file_rules ORDER BY line_number
