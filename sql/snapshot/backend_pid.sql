-- The server's process of this session. No parameters.
SELECT pg_catalog.pg_backend_pid();
