-- Says that the generation has come forward. $1 snapshot, $2 snapshot_sha256, $3 taken_at, $4 ledger_run, $5 rows.
UPDATE his_emergency.generation SET snapshot = $1, snapshot_sha256 = $2, taken_at = $3, ledger_run = $4, rows = $5, loaded_at = pg_catalog.clock_timestamp()
