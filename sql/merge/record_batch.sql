-- Notes that every unit of a batch is in the ledger. $1 event, $2 batch, $3 sha256, $4 totals, $5 closing, $6 run.
INSERT INTO his_emergency.batch (event, batch, sha256, totals, closing, run) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (event, batch) DO NOTHING;
