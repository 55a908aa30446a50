-- Notes a backfill. $1 event, $2 snapshot, $3 system identifier, $4 changed, $5 run, $6 by, $7 host.
INSERT INTO his_emergency.backfill (event, snapshot, system_identifier, changed, run, by, host) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (event) DO UPDATE SET changed = excluded.changed, run = excluded.run, by = excluded.by, host = excluded.host;
