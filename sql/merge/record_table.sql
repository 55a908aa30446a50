-- Writes conflicts, rows that were there already, given numbers and held keys of one table into the ledger.
-- Parameters: event, no, name, table, columns [{i, name}], key [{i, name}], first, last.
INSERT INTO his_emergency.conflict (event, generation, xid, table_name, key, kind, reason, standby, "primary")
SELECT {{ event | lit }}, u.generation, u.xid, {{ name | lit }},
  json_object(ARRAY[{% for k in key %}{{ k.name | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[], ARRAY[{% for k in key %}coalesce(s.n{{ k.i }}, s.o{{ k.i }})::text{{ ", " if not loop.last }}{% endfor %}]::text[])::text,
  u.kind, coalesce(u.reason, ''),
  json_build_object(
    'old', CASE WHEN s.op <> 'I' THEN json_object(ARRAY[{% for c in columns %}{{ c.name | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[], ARRAY[{% for c in columns %}s.o{{ c.i }}::text{{ ", " if not loop.last }}{% endfor %}]::text[]) END,
    'new', CASE WHEN s.op <> 'D' THEN json_object(ARRAY[{% for c in columns %}{{ c.name | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[], ARRAY[{% for c in columns %}s.n{{ c.i }}::text{{ ", " if not loop.last }}{% endfor %}]::text[]) END)::text,
  (SELECT json_object(ARRAY[{% for c in columns %}{{ c.name | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[], ARRAY[{% for c in columns %}t.{{ c.name | id }}::text{{ ", " if not loop.last }}{% endfor %}]::text[])::text
   FROM {{ table }} t WHERE {% for k in key %}t.{{ k.name | id }} = CASE WHEN s.op = 'I' THEN s.n{{ k.i }} ELSE s.o{{ k.i }} END{{ " AND " if not loop.last }}{% endfor %} LIMIT 1)
FROM pg_temp.stage_unit u JOIN pg_temp.stage_{{ no }} s ON s.seq = u.at_seq
WHERE u.status = 'held' AND u.at_table = {{ no }} AND u.pos BETWEEN {{ first }} AND {{ last }};
INSERT INTO his_emergency.held_touch (event, generation, xid, table_name, rule, value, creates)
SELECT DISTINCT {{ event | lit }}, u.generation, u.xid, {{ name | lit }}, t.rule, t.value, t.creates
FROM pg_temp.touch t JOIN pg_temp.stage_unit u USING (xid)
WHERE u.status = 'held' AND NOT t.weak AND t.table_no = {{ no }} AND u.pos BETWEEN {{ first }} AND {{ last }};
INSERT INTO his_emergency.already (event, generation, xid, table_name, key)
SELECT {{ event | lit }}, u.generation, u.xid, {{ name | lit }},
  json_object(ARRAY[{% for k in key %}{{ k.name | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[], ARRAY[{% for k in key %}s.n{{ k.i }}::text{{ ", " if not loop.last }}{% endfor %}]::text[])::text
FROM pg_temp.already a JOIN pg_temp.stage_unit u USING (xid) JOIN pg_temp.stage_{{ no }} s ON s.seq = a.seq
WHERE a.table_no = {{ no }} AND u.applied AND u.pos BETWEEN {{ first }} AND {{ last }};
INSERT INTO his_emergency.number_given (event, generation, xid, table_name, key, column_name, emergency, official)
SELECT {{ event | lit }}, u.generation, u.xid, {{ name | lit }},
  json_object(ARRAY[{% for k in key %}{{ k.name | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[], ARRAY[{% for k in key %}s.n{{ k.i }}::text{{ ", " if not loop.last }}{% endfor %}]::text[])::text,
  g.column_name, g.emergency, g.official
FROM pg_temp.given g JOIN pg_temp.stage_unit u USING (xid) JOIN pg_temp.stage_{{ no }} s ON s.seq = g.seq
WHERE g.table_no = {{ no }} AND u.applied AND u.pos BETWEEN {{ first }} AND {{ last }};
