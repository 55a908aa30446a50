-- The same for a table of which the event has captured nothing. Parameters: name, table.
CREATE TEMPORARY VIEW {{ ("captured " ~ name) | id }} AS SELECT t.* FROM {{ table }} t WHERE false;
