-- Empty places for what is counted of the captured changes, by what became of their units. No parameters.
CREATE TEMPORARY TABLE counted (table_name text NOT NULL, status text NOT NULL, rows bigint NOT NULL);
CREATE TEMPORARY TABLE flow (table_name text NOT NULL, column_name text NOT NULL, "group" text NOT NULL, kind text NOT NULL, status text NOT NULL, amount numeric NOT NULL);
