-- Whether a backfill is finished. $1 event.
SELECT EXISTS (SELECT FROM his_emergency.backfill WHERE event = $1 AND finished_at IS NOT NULL);
