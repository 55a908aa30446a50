-- Reads where each sequence stands now. Parameter: sequences (quoted names), not empty.
{% for sequence in sequences -%}
SELECT {{ loop.index0 }} AS ord, last_value, is_called FROM {{ sequence }}
{%- if not loop.last %} UNION ALL {% endif %}
{% endfor -%}
ORDER BY ord
