-- Remembers what the generation is before it goes forward. No parameters.
CREATE TABLE his_emergency.before AS SELECT * FROM his_emergency.generation;
CREATE TABLE his_emergency.kept (no integer PRIMARY KEY, schema_name text NOT NULL, table_name text NOT NULL, columns text[] NOT NULL, key text[] NOT NULL);
