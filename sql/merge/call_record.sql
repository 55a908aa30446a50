-- Writes into the ledger what the plan holds and rejects. $1 run, $2 by.
SELECT pg_temp.record(0, $1, $2);
