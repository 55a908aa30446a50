-- Keeps rows for a way back, whole: those whose keys are staged in put or gone, or all when there is no key. Parameters: kept (a number), table (quoted), partitioned (else what inherits from it is left alone), key (columns; empty: all rows).
-- Two joins in place of one condition with OR, which would look at every row of the table.
{%- set same -%}
{%- for c in key %}s.{{ c | id }} = t.{{ c | id }}{{ " AND " if not loop.last }}{% endfor %}
{%- endset %}
{%- set rows = ("" if partitioned else "ONLY ") ~ table %}
CREATE TABLE his_emergency.kept_{{ kept }} AS
{%- if key %}
SELECT t.* FROM {{ rows }} t JOIN pg_temp.put s ON {{ same }}
UNION ALL
SELECT t.* FROM {{ rows }} t JOIN pg_temp.gone s ON {{ same }}
WHERE NOT EXISTS (SELECT FROM pg_temp.put p WHERE {% for c in key %}p.{{ c | id }} = t.{{ c | id }}{{ " AND " if not loop.last }}{% endfor %})
{%- else %}
SELECT t.* FROM {{ rows }} t
{%- endif %}
