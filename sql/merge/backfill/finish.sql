-- Notes that everything of a backfill is in the ledger. $1 event.
UPDATE his_emergency.backfill SET finished_at = clock_timestamp() WHERE event = $1 AND finished_at IS NULL;
