-- Applies one staged change of one table; gives the kind of conflict, or NULL. Parameters: no, name, table (quoted),
-- columns [{i, name, data, guarded, counter}], key [{i, name}], signatures [[i]], stamps [{name, value}],
-- assigns [{name, i, value}], replay.
CREATE OR REPLACE FUNCTION pg_temp.apply_{{ no }}(this_seq bigint) RETURNS text LANGUAGE plpgsql AS $apply$
DECLARE
  s pg_temp.stage_{{ no }};
  hits bigint := 0;
{% for a in assigns %}
  official_{{ loop.index }} text;
{% endfor %}
BEGIN
  SELECT * INTO STRICT s FROM pg_temp.stage_{{ no }} WHERE seq = this_seq;
  IF s.op = 'I' THEN
    IF EXISTS (SELECT FROM {{ table }} t WHERE {% for k in key %}t.{{ k.name | id }} = s.n{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}) THEN
      IF EXISTS (SELECT FROM {{ table }} t WHERE {% for k in key %}t.{{ k.name | id }} = s.n{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}

        {% for c in columns if c.guarded %} AND record_image_eq(ROW(t.{{ c.name | id }}::{{ c.type }}), ROW(s.n{{ c.i }})){% endfor %}) THEN
        INSERT INTO pg_temp.already VALUES (s.xid, {{ no }}, s.seq);
        RETURN NULL;
      END IF;
      RETURN 'exists';
    END IF;
    INSERT INTO {{ table }} AS t ({% for c in columns if c.data and not c.set_by_merge %}{{ c.name | id }}{{ ", " if not loop.last }}{% endfor %}{% for x in stamps %}, {{ x.name | id }}{% endfor %}{% for x in assigns %}, {{ x.name | id }}{% endfor %})
    OVERRIDING SYSTEM VALUE
    VALUES ({% for c in columns if c.data and not c.set_by_merge %}s.n{{ c.i }}{{ ", " if not loop.last }}{% endfor %}{% for x in stamps %}, {{ x.value }}{% endfor %}{% for x in assigns %}, {{ x.value }}{% endfor %})
    ON CONFLICT DO NOTHING
{% if assigns %}
    RETURNING {% for x in assigns %}t.{{ x.name | id }}::text{{ ", " if not loop.last }}{% endfor %} INTO {% for x in assigns %}official_{{ loop.index }}{{ ", " if not loop.last }}{% endfor %}
{% endif %};
    -- The row itself is asked for, not the row count: a trigger of the primary may have sent the row elsewhere.
    IF NOT EXISTS (SELECT FROM {{ table }} t WHERE {% for k in key %}t.{{ k.name | id }} = s.n{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}) THEN
      RETURN 'unique';
    END IF;
{% for x in assigns %}
    INSERT INTO pg_temp.given VALUES (s.xid, {{ no }}, s.seq, {{ x.name | lit }}, {% if x.i %}s.n{{ x.i }}::text{% else %}NULL{% endif %}, official_{{ loop.index }});
{% endfor %}
    RETURN NULL;
  ELSIF s.op = 'D' THEN
    WITH gone AS (
      DELETE FROM {{ table }} t WHERE {% for k in key %}t.{{ k.name | id }} = s.o{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}

      {% for c in columns if c.guarded %} AND record_image_eq(ROW(t.{{ c.name | id }}::{{ c.type }}), ROW(s.o{{ c.i }})){% endfor %} RETURNING 1)
    SELECT count(*) INTO hits FROM gone;
  ELSE
{% for signature in signatures %}
    {{ "IF" if loop.first else "ELSIF" }} s.changed = ARRAY[{{ signature.all | join(", ") }}]::integer[] THEN
{% if signature.sets %}
      WITH written AS (
        UPDATE {{ table }} AS t SET {% for x in signature.sets %}{{ x.name | id }} = {% if x.counter %}CASE WHEN t.{{ x.name | id }} IS NULL OR s.o{{ x.i }} IS NULL OR s.n{{ x.i }} IS NULL THEN s.n{{ x.i }} ELSE t.{{ x.name | id }} + (s.n{{ x.i }} - s.o{{ x.i }}) END{% else %}s.n{{ x.i }}{% endif %}{{ ", " if not loop.last }}{% endfor %}{% for x in stamps %}, {{ x.name | id }} = {{ x.value }}{% endfor %}

        WHERE {% for k in key %}t.{{ k.name | id }} = s.o{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}

        {% for x in signature.sets if x.guarded %} AND record_image_eq(ROW(t.{{ x.name | id }}::{{ x.type }}), ROW(s.o{{ x.i }})){% endfor %} RETURNING 1)
      SELECT count(*) INTO hits FROM written;
{% elif replay %}
      -- Nothing that is merged was changed.
      RETURN NULL;
{% else %}
      -- Nothing was changed, but the primary's triggers have their work to do.
      WITH written AS (
        UPDATE {{ table }} AS t SET {{ key[0].name | id }} = t.{{ key[0].name | id }}
        WHERE {% for k in key %}t.{{ k.name | id }} = s.o{{ k.i }}{{ " AND " if not loop.last }}{% endfor %} RETURNING 1)
      SELECT count(*) INTO hits FROM written;
{% endif %}
{% endfor %}
{% if signatures %}
    END IF;
{% endif %}
  END IF;
  IF hits = 1 THEN
    RETURN NULL;
  ELSIF EXISTS (SELECT FROM {{ table }} t WHERE {% for k in key %}t.{{ k.name | id }} = s.o{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}) THEN
    RETURN 'changed';
  END IF;
  RETURN 'missing';
END
$apply$;
