-- Batches that were made of this generation's queue. No parameters.
SELECT event, batch, sha256 FROM his_emergency.batch WHERE event !~ '-D[0-9]+$' ORDER BY event, batch
