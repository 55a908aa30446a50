-- Ends the sessions of this snapshot at once, so that nothing waits behind them. $1: our processes; $2: application name of our pg_dump.
SELECT pg_catalog.count(pg_catalog.pg_terminate_backend(a.pid))
FROM pg_catalog.pg_stat_activity a
WHERE a.pid = ANY ($1::int[]) OR (a.application_name = $2::text AND a.usename = current_user);
