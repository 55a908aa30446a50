-- A function that applies a chunk of staged units, checks it, and writes it into the ledger. Set-wise first; when anything does not fit, again
-- carefully, unit by unit, in rounds: what cannot be applied is held, with all that depends on it, and the rest goes in.
-- Parameters: tables [{replay, assign (text)}] (those that get official numbers), between (trigger mode afterwards), close_over (text).
CREATE OR REPLACE FUNCTION pg_temp.assign_range(this_chunk integer) RETURNS void LANGUAGE plpgsql AS $assign$
#variable_conflict use_column
BEGIN
{% for t in tables %}
  PERFORM set_config('session_replication_role', '{{ "replica" if t.replay else "origin" }}', true);
{{ t.assign }}
  PERFORM set_config('session_replication_role', '{{ between }}', true);
{% endfor %}
END
$assign$;
CREATE OR REPLACE FUNCTION pg_temp.merge_chunk(this_chunk integer, this_run bigint, this_by text) RETURNS void LANGUAGE plpgsql AS $merge$
#variable_conflict use_column
DECLARE
  careful boolean := false;
  applying boolean;
  undone boolean;
  wrong jsonb;
  known jsonb := '[]'; -- units that must not be tried, and why
  found jsonb;
  h record;
BEGIN
  -- Each careful round holds at least one unit more, so this ends.
  LOOP
    BEGIN
      applying := false;
      FOR h IN SELECT * FROM jsonb_to_recordset(known) AS k (u bigint, kind text, reason text, at_table integer, at_seq bigint) LOOP
        UPDATE pg_temp.unit x SET status = 'held', kind = h.kind, reason = h.reason, at_table = h.at_table, at_seq = h.at_seq WHERE x.u = h.u AND x.status = 'new';
      END LOOP;
      IF known <> '[]' THEN
{{ close_over }}
      END IF;
      IF careful THEN
        PERFORM pg_temp.apply_careful(this_chunk);
{{ close_over }}
      ELSE
        applying := true;
        PERFORM pg_temp.apply_plain(this_chunk);
        applying := false;
      END IF;
      -- Everything of the chunk that is held so far, and whether any of it has been applied in this round.
      SELECT coalesce(jsonb_agg(jsonb_build_object('u', x.u, 'kind', x.kind, 'reason', coalesce(x.reason, ''), 'at_table', x.at_table, 'at_seq', x.at_seq) ORDER BY x.u), '[]'),
        coalesce(bool_or(x.applied), false)
      INTO found, undone FROM pg_temp.unit x WHERE x.status = 'held' AND x.chunk = this_chunk;
      PERFORM pg_temp.assign_range(this_chunk);
      -- Units whose references do not hold now, or that the primary does not hold as written.
      SELECT coalesce(jsonb_agg(jsonb_build_object('u', c.bad_u, 'kind', c.bad_kind, 'reason', c.bad_reason, 'at_table', c.bad_table, 'at_seq', c.bad_seq) ORDER BY c.nth), '[]')
      INTO wrong FROM pg_temp.check_range(this_chunk) WITH ORDINALITY c (bad_u, bad_seq, bad_table, bad_kind, bad_reason, nth);
      IF NOT undone AND wrong = '[]' THEN
        PERFORM pg_temp.record(this_chunk, this_run, this_by);
        RETURN;
      END IF;
      -- Something was applied that must not be.
      RAISE EXCEPTION USING ERRCODE = 'HSC01', MESSAGE = 'this round is undone';
    EXCEPTION WHEN OTHERS THEN
      IF SQLSTATE = 'HSC01' THEN
        IF careful THEN
          known := found || wrong;
        END IF;
      ELSIF NOT applying OR careful OR "left"(SQLSTATE, 2) IN ('40', '53', '55', '57', '58', '08', 'XX') OR SQLSTATE = '42501' THEN
        -- The server's trouble, or ours, and not a unit's.
        RAISE;
      END IF;
      -- Set-wise, an order that does not matter to the plan may matter here: in their own order first.
      careful := true;
    END;
  END LOOP;
END
$merge$;
