-- What time it is there.
SELECT pg_catalog.clock_timestamp();
