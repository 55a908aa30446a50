-- Notes what a backfill found to bring back, over all its runs. $1 event, $2 sha256 of the snapshot, $3 totals, $4 run.
INSERT INTO his_emergency.batch (event, batch, sha256, totals, run) VALUES ($1, 1, $2, $3, $4)
ON CONFLICT (event, batch) DO UPDATE SET totals = excluded.totals;
