-- Captured rows of the event in the batches, by table and what became of their units. No parameters.
SELECT table_name, status, rows FROM pg_temp.counted ORDER BY 1, 2;
