-- What of a chunk of applied units the primary does not hold as it should. $1 chunk.
SELECT bad_u, bad_seq, bad_table, bad_kind, bad_reason FROM pg_temp.check_range($1);
