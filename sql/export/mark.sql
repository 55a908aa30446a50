-- Marks the chosen units as being in a batch. $1 event, $2 batch.
INSERT INTO his_emergency.exported (xid, event, batch) SELECT xid, $1, $2 FROM pg_temp.chosen;
