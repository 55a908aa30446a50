-- Takes most rows of a table away, past its triggers and foreign keys, as an intruder would. Parameter: table (quoted).
BEGIN;
SET LOCAL session_replication_role = replica;
DELETE FROM {{ table }} WHERE pg_catalog.hashtext(ctid::text) % 4 <> 0;
COMMIT;
