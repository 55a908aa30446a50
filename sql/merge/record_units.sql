-- Writes outcomes into the ledger, in the transaction that brought them about: the applied units of a chunk, and every unit held or rejected
-- that is not written yet. A part of record.sql.
CREATE TEMPORARY TABLE outcome ON COMMIT DROP AS
SELECT u, 'merged' AS status FROM pg_temp.unit WHERE chunk = this_chunk AND status = 'new' AND applied
UNION ALL
SELECT u, status FROM pg_temp.unit WHERE status IN ('held', 'rejected') AND NOT recorded AND prior IS NULL;
ALTER TABLE pg_temp.outcome ADD PRIMARY KEY (u);
ANALYZE pg_temp.outcome;
INSERT INTO his_emergency.unit (event, generation, xid, batch, status, rows, last_seq, hash, at, db_user, application, address, run, by)
SELECT x.event, x.generation, x.xid, x.batch, o.status, x.rows, x.last_seq, x.hash, x.at, x."user", x.application, x.address, this_run, this_by
FROM pg_temp.outcome o JOIN pg_temp.unit x USING (u) WHERE x.prior IS NULL ORDER BY u;
UPDATE his_emergency.unit l SET status = o.status, linked = EXISTS (SELECT FROM his_emergency.link k WHERE (k.event, k.generation, k.xid) = (l.event, l.generation, l.xid)), run = this_run, by = this_by, settled_at = clock_timestamp()
FROM pg_temp.outcome o JOIN pg_temp.unit x USING (u) WHERE x.prior = 'held' AND (l.event, l.generation, l.xid) = (x.event, x.generation, x.xid);
INSERT INTO his_emergency.unit_money (event, generation, xid, table_name, column_name, amount)
SELECT x.event, x.generation, x.xid, m.table_name, m.column_name, m.amount
FROM pg_temp.outcome o JOIN pg_temp.unit x USING (u) JOIN pg_temp.amount m USING (u) WHERE x.prior IS NULL
ORDER BY x.event, x.generation, x.xid, m.table_name, m.column_name;
-- A unit that was tried and does not fit tells of it in its row; what was found before is in the list of conflicts.
INSERT INTO pg_temp.conflict (u, seq, table_no, kind, rule, reason, differ)
SELECT x.u, x.at_seq, x.at_table, x.kind, 'tried', coalesce(x.reason, ''), '{}' FROM pg_temp.unit x
WHERE x.status IN ('held', 'rejected') AND NOT x.recorded AND x.status = 'held' AND x.at_seq IS NOT NULL AND x.kind <> 'depends'
  AND NOT EXISTS (SELECT FROM pg_temp.conflict c WHERE c.u = x.u AND c.take IS NULL AND c.seq = x.at_seq AND c.kind = x.kind);
