-- How many pages the biggest part of a table has, and how many parts there are: the table itself, or its partitions. No row where its rows cannot be read by pages: PostgreSQL 13 reads all of a table for each range of them. Parameters: $1 table (quoted).
SELECT max(pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint), count(*)
FROM pg_catalog.pg_class c
LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam
WHERE c.relkind <> 'p'
  AND (c.oid = $1::text::regclass OR c.oid IN (SELECT t.relid FROM pg_catalog.pg_partition_tree($1::text::regclass) t WHERE t.isleaf))
HAVING bool_and(c.relkind = 'r' AND a.amhandler::text = 'heap_tableam_handler')
   AND pg_catalog.current_setting('server_version_num')::int >= 140000
