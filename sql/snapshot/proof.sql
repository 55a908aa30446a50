-- Sends the rows that lie in some blocks of one table (of each partition, when it has any). Parameters: table (quoted), columns, partitioned, filter (or none), from and to (block numbers, the last apart).
COPY (SELECT {{ columns | ids }} FROM {{ "" if partitioned else "ONLY " }}{{ table }} WHERE
{%- if filter is not none %} (
{{ filter }}
) AND
{%- endif %} ctid >= '({{ from }},0)'::pg_catalog.tid AND ctid < '({{ to }},0)'::pg_catalog.tid) TO STDOUT (FORMAT csv, HEADER)
