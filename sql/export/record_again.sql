-- A batch that was made again with other bytes. $1 event, $2 batch, $3 sha256 of its SHA256SUMS.
UPDATE his_emergency.batch SET sha256 = $3 WHERE event = $1 AND batch = $2;
