-- How many queries a replica has ended in this database because they were in the way of the log. No row on a primary. No parameters.
SELECT (confl_tablespace + confl_lock + confl_snapshot + confl_bufferpin + confl_deadlock)::bigint
FROM pg_catalog.pg_stat_database_conflicts
WHERE datname = pg_catalog.current_database() AND pg_catalog.pg_is_in_recovery();
