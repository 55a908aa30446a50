-- Units held so far that a second attempt must not try, and those among them that were applied already. No parameters.
SELECT xid, kind, coalesce(reason, ''), at_table, at_seq, applied FROM pg_temp.stage_unit WHERE status = 'held';
