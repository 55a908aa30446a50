-- Refuses DDL from here on; the last step of a load. No parameters.
CREATE EVENT TRIGGER his_emergency_ddl ON ddl_command_end EXECUTE FUNCTION his_emergency.refuse_ddl();
CREATE EVENT TRIGGER his_emergency_drop ON sql_drop EXECUTE FUNCTION his_emergency.refuse_drop();
ALTER EVENT TRIGGER his_emergency_ddl ENABLE ALWAYS;
ALTER EVENT TRIGGER his_emergency_drop ENABLE ALWAYS;
