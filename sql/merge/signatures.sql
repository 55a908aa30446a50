-- Which sets of columns the staged updates change. Parameters: tables [{no}].
DROP TABLE IF EXISTS pg_temp.signature;
CREATE TEMPORARY TABLE signature (table_no integer NOT NULL, changed integer[] NOT NULL, weak boolean NOT NULL);
{% for t in tables %}
INSERT INTO pg_temp.signature SELECT DISTINCT {{ t.no }}, changed, weak FROM pg_temp.stage_{{ t.no }} WHERE op = 'U' AND NOT left_out;
{% endfor %}
