-- The hash of a row's key, as one expression. Parameters: key (columns), alias (of the table, or none), text (whether the key is one column of text, which need not be put together first: the hash is the same and takes half the time).
pg_catalog.hashtextextended(
{%- set prefix = alias ~ "." if alias else "" -%}
{%- if text %}{{ prefix }}{{ key[0] | id }}::text
{%- else %}pg_catalog.concat_ws(E'\x1f', {% for c in key %}{{ prefix }}{{ c | id }}{{ ", " if not loop.last }}{% endfor %}){% endif %} COLLATE "C", 0)
