-- Puts the guard back where it is, before the transaction commits. No parameters.
DO $$
DECLARE guard text;
BEGIN
  FOR guard IN SELECT evtname FROM pg_catalog.pg_event_trigger WHERE evtname IN ('his_emergency_ddl', 'his_emergency_drop') LOOP
    EXECUTE pg_catalog.format('ALTER EVENT TRIGGER %I ENABLE ALWAYS', guard);
  END LOOP;
END $$;
