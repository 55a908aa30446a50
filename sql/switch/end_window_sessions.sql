-- Ends every session in this database that is not one of our programs at work. $1 application names, $2 our own roles.
SELECT a.pid, coalesce(a.usename::text, ''), a.application_name, coalesce(a.client_addr::text, 'local'), pg_catalog.pg_terminate_backend(a.pid)
FROM pg_catalog.pg_stat_activity a
WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
  AND coalesce(a.backend_type, 'client backend') = 'client backend'
  AND NOT (a.application_name = ANY ($1::text[]) AND a.usename = ANY ($2::text[]));
