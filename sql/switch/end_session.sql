-- Ends one session. $1 process id.
SELECT pg_catalog.pg_terminate_backend($1);
