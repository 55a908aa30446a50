-- Checks one foreign key against the rows that are there. Parameters: table (quoted), constraint.
ALTER TABLE {{ table }} VALIDATE CONSTRAINT {{ constraint | id }}
