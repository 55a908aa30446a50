-- Ends sessions that runs of ours left on this server. $1 application names, $2 our own roles.
SELECT a.pid, a.application_name, coalesce(a.datname::text, ''), pg_catalog.pg_terminate_backend(a.pid)
FROM pg_catalog.pg_stat_activity a
WHERE a.application_name = ANY ($1::text[]) AND a.usename = ANY ($2::text[]) AND a.pid <> pg_catalog.pg_backend_pid();
