-- Forgets the way back, which was gone or is not needed any more. Parameter: kept (numbers of the kept tables).
{% for no in kept -%}
DROP TABLE IF EXISTS his_emergency.kept_{{ no }}, his_emergency.kept_{{ no }}_keys;
{% endfor -%}
DROP TABLE IF EXISTS his_emergency.before, his_emergency.kept;
