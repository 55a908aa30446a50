-- One merge at a time on this primary, whichever machine it runs on. No parameters.
SELECT pg_catalog.pg_try_advisory_lock(1212765509, 2);
