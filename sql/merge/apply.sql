-- Applies a range of staged units. Parameters: tables (targets), between (trigger mode afterwards).
{% macro changes(unit) %}
    silent := NULL;
    FOR w IN
{% for t in tables %}
      SELECT seq, {{ t.no }} AS table_no, {{ t.replay }} AS replay FROM pg_temp.stage_{{ t.no }} WHERE u = {{ unit }} AND NOT left_out{{ " UNION ALL" if not loop.last }}
{% else %}
      -- A batch without changes, such as one that only closes the event.
      SELECT 0::bigint AS seq, 0 AS table_no, true AS replay WHERE false
{% endfor %}
      ORDER BY seq
    LOOP
      IF silent IS DISTINCT FROM w.replay THEN
        PERFORM set_config('session_replication_role', CASE WHEN w.replay THEN 'replica' ELSE 'origin' END, true);
        silent := w.replay;
      END IF;
      at_table := w.table_no;
      at_seq := w.seq;
      CASE w.table_no
{% for t in tables %}
        WHEN {{ t.no }} THEN told := pg_temp.apply_{{ t.no }}({{ unit }}, w.seq);
{% else %}
        WHEN 0 THEN NULL;
{% endfor %}
      END CASE;
      IF told IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'HSC00', MESSAGE = told;
      END IF;
    END LOOP;
    UPDATE pg_temp.unit SET applied = true WHERE u = {{ unit }};
{% endmacro %}
-- Plain: set-wise what can be, the rest in order; the first conflict is an error.
CREATE OR REPLACE FUNCTION pg_temp.apply_plain(this_chunk integer) RETURNS void LANGUAGE plpgsql AS $apply$
#variable_conflict use_column
DECLARE
  this bigint;
  w record;
  silent boolean;
  at_table integer;
  at_seq bigint;
  told text;
BEGIN
  SET CONSTRAINTS ALL DEFERRED;
  PERFORM set_config('session_replication_role', 'replica', true);
{% for t in tables if t.replay %}
  INSERT INTO {{ t.table }} ({% for c in t.columns if c.data and not c.stamped %}{{ c.name | id }}{{ ", " if not loop.last }}{% endfor %}{% for v in t.stamps %}, {{ v.name | id }}{% endfor %})
  OVERRIDING SYSTEM VALUE
  SELECT {% for c in t.columns if c.data and not c.stamped %}s.n{{ c.i }}{{ ", " if not loop.last }}{% endfor %}{% for v in t.stamps %}, {{ v.value }}{% endfor %}

  FROM pg_temp.stage_{{ t.no }} s JOIN pg_temp.unit x ON x.u = s.u
  WHERE s.chunk = this_chunk AND x.chunk = this_chunk AND x.status = 'new' AND NOT x.hard AND s.op = 'I' AND NOT s.left_out
    AND NOT EXISTS (SELECT FROM pg_temp.already a WHERE a.u = s.u AND a.seq = s.seq AND a.table_no = {{ t.no }})
  ORDER BY s.u, s.seq;
{% endfor %}
{% for t in tables if t.replay %}
  PERFORM pg_temp.update_{{ t.no }}(this_chunk);
{% endfor %}
  UPDATE pg_temp.unit SET applied = true WHERE chunk = this_chunk AND status = 'new' AND NOT hard;
  FOR this IN SELECT u FROM pg_temp.unit WHERE chunk = this_chunk AND status = 'new' AND hard ORDER BY u LOOP
{{ changes("this") }}
  END LOOP;
  PERFORM set_config('session_replication_role', '{{ between }}', true);
  -- Here, and not at the commit, where other settings hold.
  SET CONSTRAINTS ALL IMMEDIATE;
END
$apply$;

-- Careful: each unit in a savepoint of its own; a unit that cannot be applied is held with its kind, and so is what depends
-- on it, and all others are applied.
CREATE OR REPLACE FUNCTION pg_temp.apply_careful(this_chunk integer) RETURNS void LANGUAGE plpgsql AS $apply$
#variable_conflict use_column
<<careful>>
DECLARE
  this bigint;
  w record;
  silent boolean;
  at_table integer;
  at_seq bigint;
  state text;
  named text;
  told text;
BEGIN
  FOR this IN SELECT u FROM pg_temp.unit WHERE chunk = this_chunk AND status = 'new' ORDER BY u LOOP
    UPDATE pg_temp.unit x SET status = 'held', kind = 'depends'
    FROM pg_temp.edge e JOIN pg_temp.unit h ON h.u = e.on_u WHERE x.u = this AND e.u = this AND h.status = 'held';
    CONTINUE WHEN FOUND;
    at_table := NULL;
    at_seq := NULL;
    BEGIN
      SET CONSTRAINTS ALL DEFERRED;
{{ changes("this") }}
      SET CONSTRAINTS ALL IMMEDIATE;
    EXCEPTION WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, named = CONSTRAINT_NAME, told = MESSAGE_TEXT;
      IF "left"(state, 2) IN ('40', '53', '55', '57', '58', 'XX') OR state = '42501' THEN
        -- The server's trouble, not the unit's.
        RAISE;
      END IF;
      UPDATE pg_temp.unit x SET status = 'held', at_table = careful.at_table, at_seq = careful.at_seq,
        kind = CASE WHEN state = 'HSC00' THEN told WHEN state IN ('23505', '23P01') THEN 'unique' WHEN state = '23503' THEN 'parent' ELSE 'rule' END,
        reason = CASE WHEN state = 'HSC00' THEN '' ELSE 'SQLSTATE ' || state || CASE WHEN named <> '' THEN ', constraint ' || named ELSE '' END END
      WHERE x.u = this;
    END;
  END LOOP;
  PERFORM set_config('session_replication_role', '{{ between }}', true);
END
$apply$;
