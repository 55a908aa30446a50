-- Drops the staging of one table of a snapshot. Parameter: no.
DROP TABLE pg_temp.snapshot_{{ no }};
