-- Begins to change a closed generation: past the gate and the guard for this transaction, with opening and writing locked out. No parameters.
-- Replica role: the HIS's own triggers have no part in it. The guard is not there yet while a generation is loaded.
SET LOCAL session_replication_role = replica;
SET LOCAL synchronous_commit = on;
SELECT pg_catalog.pg_advisory_xact_lock(1212765509, 1);
DO $$
DECLARE guard text;
BEGIN
  FOR guard IN SELECT evtname FROM pg_catalog.pg_event_trigger WHERE evtname IN ('his_emergency_ddl', 'his_emergency_drop') LOOP
    EXECUTE pg_catalog.format('ALTER EVENT TRIGGER %I DISABLE', guard);
  END LOOP;
END $$;
