-- Notes a kept table. $1 number, $2 schema, $3 table, $4 columns, $5 columns of the key (empty: all rows were kept).
INSERT INTO his_emergency.kept (no, schema_name, table_name, columns, key) VALUES ($1, $2, $3, $4, $5)
