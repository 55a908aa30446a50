-- Where the server's log and the database stand, and which tables these are; asked after the snapshot was made. $1 tables, quoted.
-- A replica's control file tells its timeline only after its next restartpoint; what it receives tells it at once, where we may see that.
SELECT (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) AS database_oid,
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN greatest((SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()), (SELECT w.received_tli FROM pg_catalog.pg_stat_wal_receiver w))
            ELSE ('x' || pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int END AS timeline,
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_insert_lsn() END::text AS wal,
       ARRAY(SELECT coalesce(pg_catalog.to_regclass(t)::oid, 0::oid) FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS u(t, n) ORDER BY n) AS tables;
