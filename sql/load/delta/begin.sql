-- Begins to bring a closed generation forward: past the gate and the guard for this transaction, with opening and writing locked out. No parameters.
SELECT pg_catalog.pg_advisory_xact_lock(1212765509, 1);
ALTER EVENT TRIGGER his_emergency_ddl DISABLE;
ALTER EVENT TRIGGER his_emergency_drop DISABLE;
