-- How many seconds ago this replica heard its primary; NULL when no receiver runs.
SELECT extract(epoch FROM pg_catalog.clock_timestamp() - r.last_msg_receipt_time)::float8
FROM (SELECT 1) one LEFT JOIN pg_catalog.pg_stat_wal_receiver r ON r.status = 'streaming';
