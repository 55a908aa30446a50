-- Sessions that wait for a lock which a session of this snapshot holds. $1: our processes; $2: application name of our pg_dump.
WITH ours AS (
  SELECT pg_catalog.unnest($1::int[]) AS pid
  UNION
  SELECT a.pid FROM pg_catalog.pg_stat_activity a WHERE a.application_name = $2::text AND a.usename = current_user
), waiting AS MATERIALIZED (
  -- Apart, because asking who blocks whom is dear and nearly always nobody waits.
  SELECT l.pid, l.mode, l.locktype, l.relation, l.database FROM pg_catalog.pg_locks l WHERE NOT l.granted)
SELECT w.pid,
       w.mode,
       CASE WHEN w.relation IS NULL THEN w.locktype ELSE w.relation::pg_catalog.regclass::text END AS target
FROM waiting w
WHERE w.pid NOT IN (SELECT pid FROM ours)
  AND pg_catalog.pg_blocking_pids(w.pid) && ARRAY(SELECT pid FROM ours)
ORDER BY w.pid
LIMIT 1;
