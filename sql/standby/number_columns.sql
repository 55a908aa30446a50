-- The columns that numbers are handed out of here. No parameters.
SELECT no, schema_name, table_name, column_name, key, key_types FROM his_emergency.number_column ORDER BY no
