-- Says what this database is. $1 generation, $2 site, $3 snapshot, $4 snapshot_sha256, $5 taken_at, $6 ledger_run, $7 primary_system, $8 rows, $9 verified.
INSERT INTO his_emergency.generation (generation, site, snapshot, snapshot_sha256, taken_at, ledger_run, primary_system, rows, verified)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);
