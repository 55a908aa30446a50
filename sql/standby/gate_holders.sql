-- Ends the transactions that still hold the gate's shared lock, and says whose they were. No parameters.
SELECT a.pid, a.usename::text, a.application_name, coalesce(a.client_addr::text, 'local'), pg_catalog.pg_terminate_backend(a.pid)
FROM pg_catalog.pg_locks l
JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.classid = 1212765509 AND l.objid = 1 AND l.objsubid = 2 AND l.mode = 'ShareLock' AND l.granted
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
  AND a.pid <> pg_catalog.pg_backend_pid();
