-- Sends the rows of one table that were written by a transaction or after it, and others. Parameters: table (quoted), columns, partitioned, filter (or none), since (transaction id), key (columns), hash (of a key, as an expression), keys (none, or an array literal of whole numbers: rows with these keys too), pages and mask (none, or an array literal: rows whose keys' hashes are on these pages too).
-- A row's age is counted from now back to the transaction that wrote it, so it is right across the wrap-around of transaction
-- ids; a frozen row keeps the id that it was written with, and of one so old that it looks as if it were yet to come the age is below 0.
COPY (SELECT {{ columns | ids }} FROM {{ "" if partitioned else "ONLY " }}{{ table }} WHERE
{%- if filter is not none %} (
{{ filter }}
) AND
{%- endif %} ((pg_catalog.age(xmin) <= (SELECT pg_catalog.age({{ since | lit }}::pg_catalog.xid)) AND pg_catalog.age(xmin) >= 0)
{%- if keys is not none %} OR {{ key[0] | id }} = ANY ({{ keys | lit }}::bigint[]){% endif %}
{%- if pages is not none %} OR {{ hash }} & {{ mask }} = ANY ({{ pages | lit }}::bigint[]){% endif %})) TO STDOUT (FORMAT csv, HEADER)
