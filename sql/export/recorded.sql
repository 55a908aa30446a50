-- Batches that were made of this generation's queue. No parameters.
SELECT event, batch, manifest, sha256 FROM his_emergency.batch ORDER BY event, batch;
