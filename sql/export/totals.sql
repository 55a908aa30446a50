-- Units and rows of the chosen units, their first queue number, and whether from there on the queue holds nothing but them. No parameters.
SELECT count(*), coalesce(sum(rows), 0)::bigint, coalesce(min(first_seq), 0),
  NOT EXISTS (SELECT FROM pg_temp.queued q WHERE NOT q.mine AND q.last_seq >= (SELECT min(first_seq) FROM pg_temp.chosen))
FROM pg_temp.chosen;
