-- Batches of an event that are merged. $1 event.
SELECT batch, sha256, totals, closing FROM his_emergency.batch WHERE event = $1 ORDER BY batch;
