-- Puts one table of the ledger back as the snapshot has it. Parameters: no, table, columns, identities (columns).
DELETE FROM his_emergency.{{ table | id }};
INSERT INTO his_emergency.{{ table | id }} ({{ columns | ids }}) OVERRIDING SYSTEM VALUE SELECT {{ columns | ids }} FROM pg_temp.kept_{{ no }};
{% for c in identities %}
SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence('his_emergency.' || {{ table | id | lit }}, {{ c | lit }})::pg_catalog.regclass, greatest(coalesce(max({{ c | id }}), 0), 1), count(*) > 0) FROM his_emergency.{{ table | id }};
{% endfor %}
