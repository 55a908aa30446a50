-- How many blocks a table has, or the largest of its partitions. $1 table, quoted.
SELECT (greatest_size / pg_catalog.current_setting('block_size')::bigint)::bigint
FROM (SELECT coalesce((SELECT max(pg_catalog.pg_relation_size(relid)) FROM pg_catalog.pg_partition_tree($1::text::pg_catalog.regclass)),
                      pg_catalog.pg_relation_size($1::text::pg_catalog.regclass)) AS greatest_size) AS t
