-- Says of which batch the rows are that come next. Parameters: b, tables [no].
ALTER TABLE pg_temp.raw_unit ALTER b SET DEFAULT {{ b }};
{% for no in tables %}
ALTER TABLE pg_temp.raw_{{ no }} ALTER b SET DEFAULT {{ b }};
{% endfor %}
