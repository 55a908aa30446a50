-- One fence at a time is put on or lifted. No parameters.
SELECT pg_catalog.pg_advisory_xact_lock(1212765509, 3);
