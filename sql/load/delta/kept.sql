-- What a step forward has kept for the way back, in its order. No parameters; the tables are there only after a delta.
SELECT no, schema_name, table_name, columns, key FROM his_emergency.kept ORDER BY no
