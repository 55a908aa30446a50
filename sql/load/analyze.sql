-- Gathers statistics of one table with its partitions, or of one materialized view. Parameters: table (quoted).
ANALYZE {{ table }}
