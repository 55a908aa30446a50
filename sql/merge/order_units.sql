-- Orders the staged units as they were done, and leaves out what the ledger has. Parameters: event, generation.
UPDATE pg_temp.stage_unit u SET pos = q.pos
FROM (SELECT xid, row_number() OVER (ORDER BY last_seq, xid) AS pos FROM pg_temp.stage_unit) q WHERE q.xid = u.xid;
UPDATE pg_temp.stage_unit u SET status = 'done'
FROM his_emergency.unit l WHERE l.event = {{ event | lit }} AND l.generation = {{ generation }} AND l.xid = u.xid;
CREATE INDEX ON pg_temp.stage_unit (pos);
