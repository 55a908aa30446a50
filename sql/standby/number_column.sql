-- Notes a column that numbers are handed out of. $1 no, $2 schema, $3 table, $4 column, $5 columns of the key, $6 their types.
INSERT INTO his_emergency.number_column (no, schema_name, table_name, column_name, key, key_types) VALUES ($1, $2, $3, $4, $5, $6)
