-- Ends every session in these databases. $1 databases.
SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
WHERE datname = ANY ($1::text[]) AND pid <> pg_catalog.pg_backend_pid();
