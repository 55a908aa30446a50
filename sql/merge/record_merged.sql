-- Writes rows that were there already, what decisions displaced, and given numbers of one table into the ledger. Parameters: a target; a part of record.sql.
{% macro key_of(a, b) %}json_object(ARRAY[{% for k in key %}{{ k.name | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[], ARRAY[{% for k in key %}coalesce({{ a }}{{ k.i }}, {{ b }}{{ k.i }})::text{{ ", " if not loop.last }}{% endfor %}]::text[])::text{% endmacro %}
INSERT INTO his_emergency.already (event, generation, xid, table_name, key)
SELECT x.event, x.generation, x.xid, {{ name | lit }}, {{ key_of("s.n", "s.o") }}
FROM pg_temp.already a JOIN pg_temp.outcome o USING (u) JOIN pg_temp.unit x USING (u) JOIN pg_temp.stage_{{ no }} s USING (u, seq)
WHERE a.table_no = {{ no }} AND o.status = 'merged';
INSERT INTO his_emergency.displaced (event, generation, xid, seq, table_name, key, "primary", by_policy)
SELECT x.event, x.generation, x.xid, d.seq, {{ name | lit }}, {{ key_of("s.o", "s.n") }}, d.there, coalesce((SELECT bool_or(c.by_policy) FROM pg_temp.conflict c WHERE (c.u, c.seq, c.table_no) = (d.u, d.seq, d.table_no)), false)
FROM pg_temp.displaced d JOIN pg_temp.outcome o USING (u) JOIN pg_temp.unit x USING (u) JOIN pg_temp.stage_{{ no }} s USING (u, seq)
WHERE d.table_no = {{ no }} AND o.status = 'merged';
INSERT INTO his_emergency.number_given (event, generation, xid, table_name, key, column_name, emergency, official)
SELECT x.event, x.generation, x.xid, {{ name | lit }}, {{ key_of("s.n", "s.o") }}, g.column_name, g.emergency, g.official
FROM pg_temp.given g JOIN pg_temp.outcome o USING (u) JOIN pg_temp.unit x USING (u) JOIN pg_temp.stage_{{ no }} s USING (u, seq)
WHERE g.table_no = {{ no }} AND o.status = 'merged';
