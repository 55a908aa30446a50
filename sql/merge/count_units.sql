-- How many units are staged, and how many of them from batches. No parameters.
SELECT coalesce(max(u), 0), count(*) FILTER (WHERE b > 0) FROM pg_temp.unit;
