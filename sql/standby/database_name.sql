-- The database of this session. No parameters.
SELECT pg_catalog.current_database()::text
