-- Makes the function that applies one staged change of one table and gives the kind of conflict, or NULL: with a branch for each set of columns
-- that the staged updates change, so that only those columns are written. Parameters: a target.
DO $make$
DECLARE
  g record;
  sets text;
  guards text;
  branches text := '';
BEGIN
  FOR g IN SELECT changed FROM pg_temp.signature WHERE table_no = {{ no }} ORDER BY changed LOOP
    SELECT string_agg(c.sets, ', ' ORDER BY c.i), coalesce(string_agg(c.guards, '' ORDER BY c.i), '') INTO sets, guards
    FROM (VALUES
{% for c in columns if c.data and not c.number and not c.stamped %}
      ({{ c.i }}, $piece${{ c.name | id }} = {% if c.counter %}CASE WHEN t.{{ c.name | id }} IS NULL OR s.o{{ c.i }} IS NULL OR s.n{{ c.i }} IS NULL THEN s.n{{ c.i }} ELSE t.{{ c.name | id }} + (s.n{{ c.i }} - s.o{{ c.i }}) END{% else %}s.n{{ c.i }}{% endif %}$piece$, $piece${% if c.guarded %} AND record_image_eq(ROW(t.{{ c.name | id }}::{{ c.type }}), ROW(s.o{{ c.i }})){% endif %}$piece$),
{% endfor %}
      (0, '', '')) c (i, sets, guards) WHERE c.i = ANY (g.changed);
    branches := branches || CASE branches WHEN '' THEN '    IF' ELSE '    ELSIF' END || format(' s.changed = %L::integer[] THEN', g.changed) || E'\n'
      || CASE WHEN sets IS NOT NULL THEN
$piece$      WITH written AS (
        UPDATE {{ table }} AS t SET $piece$ || sets || $piece${% for v in stamps %}, {{ v.name | id }} = {{ v.value }}{% endfor %}

        WHERE {% for k in key %}t.{{ k.name | id }} = s.o{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}
        AND (s.force IS NOT NULL OR true$piece$ || guards || $piece$) RETURNING 1)
      SELECT count(*) INTO hits FROM written;
$piece$
      ELSE
{% if replay %}
$piece$      -- Nothing that is merged was changed, but the row must be there.
      SELECT count(*) INTO hits FROM {{ table }} t WHERE {% for k in key %}t.{{ k.name | id }} = s.o{{ k.i }}{{ " AND " if not loop.last }}{% endfor %};
$piece$
{% else %}
$piece$      -- Nothing was changed, but the primary's triggers have their work to do.
      WITH written AS (
        UPDATE {{ table }} AS t SET {{ key[0].name | id }} = t.{{ key[0].name | id }}
        WHERE {% for k in key %}t.{{ k.name | id }} = s.o{{ k.i }}{{ " AND " if not loop.last }}{% endfor %} RETURNING 1)
      SELECT count(*) INTO hits FROM written;
$piece$
{% endif %}
      END;
  END LOOP;
  IF branches <> '' THEN
    branches := branches || E'    END IF;\n';
  END IF;
  EXECUTE $head$
CREATE OR REPLACE FUNCTION pg_temp.apply_{{ no }}(this_u bigint, this_seq bigint) RETURNS text LANGUAGE plpgsql AS $apply$
DECLARE
  s pg_temp.stage_{{ no }};
  x pg_temp.unit;
  hits bigint := 0;
BEGIN
  SELECT * INTO STRICT s FROM pg_temp.stage_{{ no }} WHERE u = this_u AND seq = this_seq;
  SELECT * INTO STRICT x FROM pg_temp.unit WHERE u = this_u;
  IF s.op = 'U' AND s.force = 'missing' THEN
    s.op := 'I';
  END IF;
  IF s.op = 'I' THEN
    IF EXISTS (SELECT FROM {{ table }} t WHERE {% for k in key %}t.{{ k.name | id }} = s.n{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}) THEN
      IF s.force = 'exists' THEN
        UPDATE {{ table }} AS t SET {{ key[0].name | id }} = t.{{ key[0].name | id }}{% for c in columns if c.data and not c.stamped and not c.number %}{% if not c.is_key %}, {{ c.name | id }} = s.n{{ c.i }}{% endif %}{% endfor %}{% for v in stamps %}, {{ v.name | id }} = {{ v.value }}{% endfor %}

        WHERE {% for k in key %}t.{{ k.name | id }} = s.n{{ k.i }}{{ " AND " if not loop.last }}{% endfor %};
        RETURN NULL;
      ELSIF EXISTS (SELECT FROM {{ table }} t WHERE {% for k in key %}t.{{ k.name | id }} = s.n{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}

        {% for c in columns if c.guarded %} AND record_image_eq(ROW(t.{{ c.name | id }}::{{ c.type }}), ROW(s.n{{ c.i }})){% endfor %}) THEN
        INSERT INTO pg_temp.already SELECT s.u, s.seq, {{ no }} WHERE NOT EXISTS (SELECT FROM pg_temp.already a WHERE (a.u, a.seq, a.table_no) = (s.u, s.seq, {{ no }}));
        RETURN NULL;
      END IF;
      RETURN 'exists';
    END IF;
    INSERT INTO {{ table }} AS t ({% for c in columns if c.data and not c.stamped %}{{ c.name | id }}{{ ", " if not loop.last }}{% endfor %}{% for v in stamps %}, {{ v.name | id }}{% endfor %})
    OVERRIDING SYSTEM VALUE
    VALUES ({% for c in columns if c.data and not c.stamped %}s.n{{ c.i }}{{ ", " if not loop.last }}{% endfor %}{% for v in stamps %}, {{ v.value }}{% endfor %})
    ON CONFLICT DO NOTHING;
    -- The row itself is asked for, not the row count: a trigger of the primary may have sent the row elsewhere.
    IF NOT EXISTS (SELECT FROM {{ table }} t WHERE {% for k in key %}t.{{ k.name | id }} = s.n{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}) THEN
      RETURN 'unique';
    END IF;
    RETURN NULL;
  ELSIF s.op = 'D' THEN
    WITH gone AS (
      DELETE FROM {{ table }} t WHERE {% for k in key %}t.{{ k.name | id }} = s.o{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}

      AND (s.force IS NOT NULL OR true{% for c in columns if c.guarded %} AND record_image_eq(ROW(t.{{ c.name | id }}::{{ c.type }}), ROW(s.o{{ c.i }})){% endfor %}) RETURNING 1)
    SELECT count(*) INTO hits FROM gone;
    IF hits = 0 AND s.force = 'missing' THEN
      RETURN NULL;
    END IF;
  ELSE
$head$ || branches || $tail$
  END IF;
  IF hits = 1 THEN
    RETURN NULL;
  ELSIF EXISTS (SELECT FROM {{ table }} t WHERE {% for k in key %}t.{{ k.name | id }} = s.o{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}) THEN
    RETURN 'changed';
  END IF;
  RETURN 'missing';
END
$apply$;
$tail$;
END
$make$;
