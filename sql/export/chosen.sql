-- Keeps the chosen units of the queue apart. No parameters.
CREATE TEMPORARY TABLE chosen ON COMMIT DROP AS SELECT xid, first_seq, last_seq, rows FROM pg_temp.queued WHERE mine;
ALTER TABLE chosen ADD PRIMARY KEY (xid);
ANALYZE chosen;
