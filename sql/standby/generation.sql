-- The generation that this database is, and how its gate stands. No parameters; no row when it is not ours.
SELECT g.generation, g.site, g.snapshot, g.snapshot_sha256, g.taken_at, g.ledger_run, g.primary_system, g.rows, g.loaded_at,
       g.verified, g.retired, g.opened_event, pg_catalog.to_jsonb(g) ->> 'rolled_back' AS rolled_back,
       CASE (SELECT last_value FROM his_emergency.gate)
         WHEN 0 THEN 'closed'
         WHEN his_emergency.server_started() THEN 'open'
         ELSE 'died open' END AS gate,
       (SELECT last_value FROM his_emergency.epoch) AS epoch
FROM his_emergency.generation g
WHERE g.format = 1;
