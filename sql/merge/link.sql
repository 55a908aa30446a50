-- Points the staged changes at the rows that a person has named instead of ours, decision by decision.
-- Parameters: tables [{no, name, counters (it has some), others [i] (columns that make a change more than weak),
-- moves [{of (name of a table), own (its own key), columns [{i, type, to (column of that table)}]}] (columns that move together)}].
DO $link$
DECLARE
  l record;
BEGIN
  FOR l IN
    SELECT event || '/' || generation || '-' || xid AS unit, seq, table_name, columns, ours, theirs, counters, coalesce(units, '{}') AS just
    FROM his_emergency.link ORDER BY at, conflict
  LOOP
{% for t in tables %}
    -- The row falls away, and with it the unit's own differences of counters.
    IF l.seq <> 0 AND l.table_name = {{ t.name | lit }} THEN
      UPDATE pg_temp.raw_{{ t.no }} r SET left_out = true FROM pg_temp.unit u WHERE u.b = r.b AND u.xid = r.xid AND u.name = l.unit AND r.seq = l.seq;
    END IF;
{% if t.counters %}
    IF l.counters THEN
      UPDATE pg_temp.raw_{{ t.no }} r SET left_out = true FROM pg_temp.unit u WHERE u.b = r.b AND u.xid = r.xid AND u.name = l.unit AND r.op = 'U'
        AND {% for c in t.others %}record_image_eq(ROW(r.o{{ c }}), ROW(r.n{{ c }})){{ " AND " if not loop.last }}{% else %}true{% endfor %};
    END IF;
{% endif %}
{% for move in t.moves %}
    IF l.table_name = {{ move.of | lit }}{% if move.own %} AND l.seq <> 0{% endif %}{% for c in move.columns %} AND l.ours[array_position(l.columns, {{ c.to | lit }})] IS NOT NULL AND l.theirs[array_position(l.columns, {{ c.to | lit }})] IS NOT NULL{% endfor %} THEN
{% for image in ["o", "n"] %}
      UPDATE pg_temp.raw_{{ t.no }} r SET {% for c in move.columns %}{{ image }}{{ c.i }} = l.theirs[array_position(l.columns, {{ c.to | lit }})]::{{ c.type }}{{ ", " if not loop.last }}{% endfor %}

      WHERE NOT left_out AND (l.just = '{}' OR EXISTS (SELECT FROM pg_temp.unit u WHERE u.b = r.b AND u.xid = r.xid AND u.name = ANY (l.just)))
        AND {% for c in move.columns %}r.{{ image }}{{ c.i }} = l.ours[array_position(l.columns, {{ c.to | lit }})]::{{ c.type }}{{ " AND " if not loop.last }}{% endfor %};
{% endfor %}
    END IF;
{% endfor %}
{% endfor %}
  END LOOP;
END
$link$;
