-- Leaves out the rows that the primary has with other content. Parameters: no.
DELETE FROM pg_temp.raw_{{ no }} WHERE depth = 1;
