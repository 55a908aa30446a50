-- Takes the database snapshot that all sessions of this download share, and says by the server's clock when. No parameters.
SELECT pg_catalog.pg_export_snapshot(), pg_catalog.clock_timestamp();
