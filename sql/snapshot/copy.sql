-- Sends the rows of one table as CSV. Parameters: table (quoted), columns, partitioned, filter (or none).
{% if filter is none and not partitioned -%}
COPY {{ table }} ({{ columns | ids }})
{%- else -%}
COPY (SELECT {{ columns | ids }} FROM {{ "" if partitioned else "ONLY " }}{{ table }}
{%- if filter is not none %} WHERE (
{{ filter }}
)
{%- endif %})
{%- endif %} TO STDOUT (FORMAT csv, HEADER)
