-- Waits until all that was committed before is on the disk: the log is flushed in order, and a commit that writes waits for it. No parameters.
BEGIN;
SET LOCAL synchronous_commit = on;
SELECT pg_catalog.pg_logical_emit_message(true, 'his_emergency', '');
SELECT pg_catalog.pg_current_xact_id();
COMMIT;
