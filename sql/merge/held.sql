-- Units found so far that must not be tried, and those among them that were applied already. $1 chunk.
SELECT u, kind, coalesce(reason, ''), at_table, at_seq, applied FROM pg_temp.unit WHERE status = 'held' AND chunk = $1;
