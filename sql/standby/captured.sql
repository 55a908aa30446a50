-- The captured tables of this generation. No parameters.
SELECT table_no, schema_name, table_name, columns, types, key, money FROM his_emergency.captured ORDER BY table_no;
