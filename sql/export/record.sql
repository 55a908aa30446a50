-- Keeps the batch's manifest word for word. $1 event, $2 batch, $3 manifest, $4 sha256 of its SHA256SUMS.
INSERT INTO his_emergency.batch (event, batch, manifest, sha256) VALUES ($1, $2, $3, $4);
