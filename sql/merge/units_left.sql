-- How many units are staged. No parameters.
SELECT coalesce(max(pos), 0) FROM pg_temp.stage_unit;
