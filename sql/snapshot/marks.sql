-- Where the server's log and the database stand, and which tables these are; asked after the snapshot was made. $1 tables, quoted.
-- A replica's control file tells its timeline only after its next restartpoint; what it receives tells it at once, where we may see that.
-- Started: when the server was started, and when it last began to count, which it does anew after a crash of one of its processes.
-- Shapes: of each table and its partitions, which they are and the numbers of their columns, as a hash; NULL where rows do not lie in the
-- server's own kind of table, and so bear no transaction that could be relied on.
SELECT (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) AS database_oid,
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN greatest((SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()), (SELECT w.received_tli FROM pg_catalog.pg_stat_wal_receiver w))
            ELSE ('x' || pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int END AS timeline,
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_insert_lsn() END::text AS wal,
       ARRAY(SELECT coalesce(pg_catalog.to_regclass(t)::oid, 0::oid) FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS u(t, n) ORDER BY n) AS tables,
       pg_catalog.concat_ws(' ', extract(epoch FROM pg_catalog.pg_postmaster_start_time()),
         (SELECT extract(epoch FROM stats_reset) FROM pg_catalog.pg_stat_archiver)) AS started,
       ARRAY(SELECT (SELECT CASE WHEN pg_catalog.bool_and(c.relkind = 'p' OR (c.relkind = 'r' AND am.amname = 'heap'))
                       THEN pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.string_agg(
                         c.oid::text || (SELECT pg_catalog.string_agg(pg_catalog.concat(' ', a.attnum, ' ', a.attname), '' ORDER BY a.attnum)
                                         FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
                         E'\n' ORDER BY c.oid), 'UTF8')), 'hex') END
                     FROM pg_catalog.pg_class c
                     LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
                     WHERE c.oid = ANY (ARRAY(SELECT relid::oid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(t))
                                              UNION SELECT pg_catalog.to_regclass(t)::oid)))
             FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS u(t, n) ORDER BY n) AS shapes;
