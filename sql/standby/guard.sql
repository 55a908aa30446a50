-- Says who may see what of ours, and refuses DDL from here on; the last step of a load. No parameters.
-- The schema is seen from here on, for one function; nobody may hang a capture function on a table of their own.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA his_emergency FROM PUBLIC;
GRANT EXECUTE ON FUNCTION his_emergency.standing() TO PUBLIC;
GRANT USAGE ON SCHEMA his_emergency TO PUBLIC;
CREATE EVENT TRIGGER his_emergency_ddl ON ddl_command_end EXECUTE FUNCTION his_emergency.refuse_ddl();
CREATE EVENT TRIGGER his_emergency_drop ON sql_drop EXECUTE FUNCTION his_emergency.refuse_drop();
ALTER EVENT TRIGGER his_emergency_ddl ENABLE ALWAYS;
ALTER EVENT TRIGGER his_emergency_drop ENABLE ALWAYS;
