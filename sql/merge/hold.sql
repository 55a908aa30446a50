-- Holds one staged unit. $1 u, $2 kind, $3 reason, $4 table_no, $5 seq.
UPDATE pg_temp.unit SET status = 'held', kind = $2, reason = $3, at_table = $4, at_seq = $5 WHERE u = $1 AND status = 'new';
