-- On a replica: up to when it knows what was committed, NULL when it cannot tell, and how far it has replayed the log. No row
-- on a primary. No parameters.
-- Either the last commit it replayed, or, when it has replayed all there was, the time of the sender's last message.
SELECT greatest(
         pg_catalog.pg_last_xact_replay_timestamp(),
         (SELECT w.last_msg_send_time FROM pg_catalog.pg_stat_wal_receiver w
          WHERE w.status = 'streaming' AND pg_catalog.pg_last_wal_replay_lsn() >= w.latest_end_lsn)),
       pg_catalog.pg_last_wal_replay_lsn()::text
WHERE pg_catalog.pg_is_in_recovery();
