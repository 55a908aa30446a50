-- Names a batch whose rows are staged next. $1 b, $2 event, $3 epoch, $4 batch, $5 generation.
INSERT INTO pg_temp.batch (b, event, epoch, batch, generation) VALUES ($1, $2, $3, $4, $5);
