-- Units and rows of the chosen units. No parameters.
SELECT count(*), coalesce(sum(rows), 0)::bigint FROM pg_temp.chosen;
