-- Notes that a run begins, numbered above every run that the store or the snapshot has seen. $1 event, $2 by, $3 host, $4 highest run seen.
WITH made AS (
  INSERT INTO his_emergency.merge_run (run, event, by, host) OVERRIDING SYSTEM VALUE
  SELECT greatest($4::bigint, coalesce(max(run), 0)) + 1, $1, $2, $3 FROM his_emergency.merge_run RETURNING run)
SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence('his_emergency.merge_run', 'run')::pg_catalog.regclass, run) FROM made;
