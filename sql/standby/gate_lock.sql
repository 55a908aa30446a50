-- Waits until no transaction that has passed the gate is running, and lets none pass. No parameters.
SELECT pg_catalog.pg_advisory_xact_lock(1212765509, 1);
