-- Marks the generation of this database as rolled back. No parameters.
UPDATE his_emergency.generation SET retired = true
