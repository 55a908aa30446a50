-- Sends which keys one table has: 64 keys a page, one bit a key, in any order. Parameters: table (quoted), key (columns; here one), partitioned, filter (or none).
COPY (SELECT {{ key[0] | id }}::bigint >> 6 AS page, pg_catalog.bit_or(1::bigint << ({{ key[0] | id }}::bigint & 63)::int) AS keys
FROM {{ "" if partitioned else "ONLY " }}{{ table }}
{%- if filter is not none %} WHERE (
{{ filter }}
)
{%- endif %} GROUP BY 1) TO STDOUT (FORMAT csv, HEADER)
