-- Which of these columns hold a value that is no amount. Parameters: table (quoted), columns.
SELECT {% for c in columns %}coalesce(pg_catalog.bool_or({{ c | id }}::text !~ '^ *[-+]?[0-9]+([.][0-9]*)?([eE][-+]?[0-9]+)? *$'), false)
{%- if not loop.last %}, {% endif %}{% endfor %}
FROM {{ table }}
