-- Ends sessions that a killed load has left at work: in an unfinished database, or still making or
-- dropping one. The caller holds the lock, so they are nobody's. $1 application name. One row each.
SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
WHERE application_name = $1 AND pid <> pg_catalog.pg_backend_pid()
  AND (datname ~ '_g[0-9]+_loading$' OR state = 'active' AND query ~ '\m(CREATE|DROP) DATABASE\M')
