-- Puts the guard back before the transaction commits. No parameters.
ALTER EVENT TRIGGER his_emergency_ddl ENABLE ALWAYS;
ALTER EVENT TRIGGER his_emergency_drop ENABLE ALWAYS;
