-- Holds one staged unit. $1 xid, $2 kind, $3 reason, $4 table_no, $5 seq.
UPDATE pg_temp.stage_unit SET status = 'held', kind = $2, reason = $3, at_table = $4, at_seq = $5 WHERE xid = $1 AND status <> 'done';
