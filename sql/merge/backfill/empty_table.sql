-- Empties the staging of one table, which a delta has anew. Parameter: no.
TRUNCATE pg_temp.snapshot_{{ no }};
