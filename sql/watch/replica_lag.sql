-- Whether this is a replica, and how many seconds it is behind; 0 when it has replayed all that it has received.
SELECT pg_catalog.pg_is_in_recovery(),
  CASE WHEN pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn()
        AND EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver r WHERE r.status = 'streaming') THEN 0
       ELSE extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp()) END::float8;
