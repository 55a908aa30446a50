-- Makes the function that updates a chunk's rows of one table set-wise: once for each set of columns that the staged updates change, and once for
-- all that change nothing but counters and columns that are not guarded. Of counters the differences are summed, so that a row which every unit
-- touches is written once. A row that is changed several times is changed in as many passes. Parameters: a target under replay.
DO $make$
DECLARE
  g record;
  sets text;
  guards text;
  wanted text;
  statements text := '';
BEGIN
  FOR g IN SELECT changed FROM pg_temp.signature WHERE table_no = {{ no }} AND NOT weak ORDER BY changed LOOP
    SELECT string_agg(c.sets, ', ' ORDER BY c.i), string_agg(c.guards, '' ORDER BY c.i) INTO sets, guards
    FROM (VALUES
{% for c in columns if c.data and not c.number and not c.stamped %}
      ({{ c.i }}, $piece${{ c.name | id }} = {% if c.counter %}t.{{ c.name | id }} + (x.n{{ c.i }} - x.o{{ c.i }}){% else %}x.n{{ c.i }}{% endif %}$piece$, $piece${% if c.guarded %} AND record_image_eq(ROW(t.{{ c.name | id }}::{{ c.type }}), ROW(x.o{{ c.i }})){% endif %}{% if c.counter %} AND t.{{ c.name | id }} IS NOT NULL{% endif %}$piece$),
{% endfor %}
      (0, '', '')) c (i, sets, guards) WHERE c.i = ANY (g.changed);
    CONTINUE WHEN sets IS NULL;
    statements := statements || $piece$
  WITH wanted AS (
    SELECT s.*{% if stamps %}, x.event, x.batch{% endif %} FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x ON x.u = s.u
    WHERE s.chunk = this_chunk AND x.chunk = this_chunk AND x.status = 'new' AND NOT x.hard AND s.op = 'U' AND s.pass = this_pass AND NOT s.left_out AND s.changed = $piece$ || format('%L::integer[]', g.changed) || $piece$),
  written AS (
    UPDATE {{ table }} AS t SET $piece$ || sets || $piece${% for v in stamps %}, {{ v.name | id }} = {{ v.value }}{% endfor %}

    FROM wanted x
    WHERE {% for k in key %}t.{{ k.name | id }} = x.o{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}$piece$ || guards || $piece$ RETURNING 1)
  SELECT (SELECT count(*) FROM wanted) - (SELECT count(*) FROM written) INTO missed;
  IF missed <> 0 THEN
    RAISE EXCEPTION USING ERRCODE = 'HSC00', MESSAGE = 'changed';
  END IF;
$piece$;
  END LOOP;
  IF statements <> '' THEN
    statements := $piece$
  SELECT coalesce(max(s.pass), 1) INTO passes FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x ON x.u = s.u WHERE s.pass > 1 AND s.chunk = this_chunk AND x.chunk = this_chunk;
  FOR this_pass IN 1..passes LOOP$piece$ || statements || $piece$
  END LOOP;
$piece$;
  END IF;
  SELECT string_agg(c.wanted, '' ORDER BY c.i), string_agg(c.sets, ', ' ORDER BY c.i), string_agg(c.guards, '' ORDER BY c.i) INTO wanted, sets, guards
  FROM (VALUES
{% for c in columns if c.i in weak and c.data and not c.number and not c.stamped %}
{% if c.counter %}
    ({{ c.i }}, $piece$, sum(CASE WHEN {{ c.i }} = ANY (s.changed) THEN s.n{{ c.i }} - s.o{{ c.i }} END) AS d{{ c.i }}$piece$,
      $piece${{ c.name | id }} = CASE WHEN x.d{{ c.i }} IS NULL THEN t.{{ c.name | id }} ELSE t.{{ c.name | id }} + x.d{{ c.i }} END$piece$,
      $piece$ AND (x.d{{ c.i }} IS NULL OR t.{{ c.name | id }} IS NOT NULL)$piece$),
{% else %}
    ({{ c.i }}, $piece$, bool_or({{ c.i }} = ANY (s.changed)) AS c{{ c.i }}, (array_agg(s.n{{ c.i }} ORDER BY s.u DESC, s.seq DESC) FILTER (WHERE {{ c.i }} = ANY (s.changed)))[1] AS d{{ c.i }}$piece$,
      $piece${{ c.name | id }} = CASE WHEN x.c{{ c.i }} THEN x.d{{ c.i }} ELSE t.{{ c.name | id }} END$piece$, ''),
{% endif %}
{% endfor %}
    (0, '', '', '')) c (i, wanted, sets, guards)
  WHERE c.i IN (SELECT w.i FROM pg_temp.signature q CROSS JOIN unnest(q.changed) w (i) WHERE q.table_no = {{ no }} AND q.weak);
  IF sets IS NOT NULL THEN
    statements := statements || $piece$
  WITH wanted AS (
    SELECT {% for k in key %}s.o{{ k.i }}{{ ", " if not loop.last }}{% endfor %}$piece$ || wanted || $piece${% if stamps %}, (array_agg(x.event ORDER BY s.u DESC))[1] AS event, max(x.batch) AS batch{% endif %}

    FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x ON x.u = s.u
    WHERE s.chunk = this_chunk AND x.chunk = this_chunk AND x.status = 'new' AND NOT x.hard AND s.weak AND NOT s.left_out
    GROUP BY {% for k in key %}s.o{{ k.i }}{{ ", " if not loop.last }}{% endfor %}),
  written AS (
    UPDATE {{ table }} AS t SET $piece$ || sets || $piece${% for v in stamps %}, {{ v.name | id }} = {{ v.value }}{% endfor %}

    FROM wanted x WHERE {% for k in key %}t.{{ k.name | id }} = x.o{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}$piece$ || guards || $piece$ RETURNING 1)
  SELECT (SELECT count(*) FROM wanted) - (SELECT count(*) FROM written) INTO missed;
  IF missed <> 0 THEN
    RAISE EXCEPTION USING ERRCODE = 'HSC00', MESSAGE = 'missing';
  END IF;
$piece$;
  END IF;
  EXECUTE $head$
CREATE OR REPLACE FUNCTION pg_temp.update_{{ no }}(this_chunk integer) RETURNS void LANGUAGE plpgsql AS $update$
#variable_conflict use_column
DECLARE
  missed bigint;
  passes integer;
BEGIN
$head$ || statements || $tail$
END
$update$;
$tail$;
END
$make$;
