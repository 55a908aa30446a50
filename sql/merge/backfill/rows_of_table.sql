-- Counts what the staging of one table has. Parameter: no.
SELECT pg_catalog.count(*) FROM pg_temp.snapshot_{{ no }}
