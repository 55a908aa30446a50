-- Applies staged units in the order they were done. Parameters: tables [no], careful.
-- Plain: the first conflict is an error. Careful: each unit in a savepoint of its own; a unit that cannot be applied is
-- held with its kind, and so is what depends on it, and all others are applied.
CREATE OR REPLACE FUNCTION pg_temp.apply_{{ "careful" if careful else "plain" }}(first_pos bigint, last_pos bigint) RETURNS void LANGUAGE plpgsql AS $apply$
#variable_conflict use_column
<<this>>
DECLARE
  u record;
  w record;
  conflict text;
  silent boolean;
  at_table integer;
  at_seq bigint;
  state text;
  named text;
BEGIN
  FOR u IN SELECT xid FROM pg_temp.stage_unit WHERE pos BETWEEN first_pos AND last_pos AND status = 'new' ORDER BY pos LOOP
{% if careful %}
    UPDATE pg_temp.stage_unit x SET status = 'held', kind = 'depends', reason = 'waits for the held unit ' || h.unit
    FROM pg_temp.edge e JOIN pg_temp.stage_unit h ON h.xid = e.on_xid
    WHERE x.xid = u.xid AND e.xid = u.xid AND h.status = 'held';
    CONTINUE WHEN FOUND;
    at_table := NULL;
    at_seq := NULL;
    silent := NULL;
    BEGIN
    SET CONSTRAINTS ALL DEFERRED;
{% endif %}
    FOR w IN SELECT seq, table_no, replay FROM pg_temp.work WHERE xid = u.xid ORDER BY seq LOOP
      IF silent IS DISTINCT FROM w.replay THEN
        PERFORM set_config('session_replication_role', CASE WHEN w.replay THEN 'replica' ELSE 'origin' END, true);
        silent := w.replay;
      END IF;
      at_table := w.table_no;
      at_seq := w.seq;
      CASE w.table_no
{% for no in tables %}
        WHEN {{ no }} THEN conflict := pg_temp.apply_{{ no }}(w.seq);
{% else %}
        -- A batch without changes, such as one that only closes the event.
        WHEN 0 THEN NULL;
{% endfor %}
      END CASE;
      IF conflict IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'HSC00', MESSAGE = conflict;
      END IF;
    END LOOP;
{% if careful %}
    SET CONSTRAINTS ALL IMMEDIATE;
{% endif %}
    UPDATE pg_temp.stage_unit SET applied = true WHERE xid = u.xid;
{% if careful %}
    EXCEPTION WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, named = CONSTRAINT_NAME, conflict = MESSAGE_TEXT;
      IF "left"(state, 2) IN ('40', '53', '55', '57', '58', 'XX') OR state = '42501' THEN
        -- The server's trouble, not the unit's.
        RAISE;
      END IF;
      UPDATE pg_temp.stage_unit x SET status = 'held', at_table = this.at_table, at_seq = this.at_seq,
        kind = CASE WHEN state = 'HSC00' THEN conflict WHEN state IN ('23505', '23P01') THEN 'unique' WHEN state = '23503' THEN 'parent' ELSE 'rule' END,
        reason = CASE WHEN state = 'HSC00' THEN '' ELSE 'SQLSTATE ' || state || CASE WHEN named <> '' THEN ', constraint ' || named ELSE '' END END
      WHERE x.xid = u.xid;
    END;
{% endif %}
  END LOOP;
  PERFORM set_config('session_replication_role', 'origin', true);
END
$apply$;
