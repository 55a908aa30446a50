-- Sends, without a header, the rows that lie on some pages of a table, or of each of its partitions. Parameters: table (quoted), columns, partitioned, from (page), to (the page after the last; none for all that follow).
COPY (SELECT {{ columns | ids }} FROM {{ "" if partitioned else "ONLY " }}{{ table }}
WHERE ctid >= '({{ from }},0)'::pg_catalog.tid{% if to is not none %} AND ctid < '({{ to }},0)'::pg_catalog.tid{% endif %}) TO STDOUT (FORMAT csv)
