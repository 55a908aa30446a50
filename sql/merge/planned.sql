-- Units of new batches by what the plan makes of them: merged, held, rejected. No parameters.
SELECT count(*) FILTER (WHERE status = 'new'), count(*) FILTER (WHERE status = 'held'), count(*) FILTER (WHERE status = 'rejected')
FROM pg_temp.unit WHERE b > 0;
