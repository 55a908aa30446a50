-- Which tables the applied units of a range touch. Parameters: tables [no], first, last.
{% for no in tables %}
SELECT {{ no }} FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x USING (u) WHERE s.u BETWEEN {{ first }} AND {{ last }} AND x.applied HAVING count(*) > 0
{{ "UNION ALL" if not loop.last }}
{% endfor %}
