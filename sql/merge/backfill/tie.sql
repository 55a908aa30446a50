-- Makes one unit of lacking rows whose references go round in a circle, or stay within a table: neither could come first.
-- Parameters: tables [no], references [{from, columns [i], to, to_columns [i]}].
CREATE TEMPORARY TABLE tied ON COMMIT DROP AS
{% for no in tables %}
SELECT seq AS id, seq AS xid FROM pg_temp.raw_{{ no }} WHERE depth = 0{{ " UNION ALL" if not loop.last }}
{% endfor %};
CREATE TEMPORARY TABLE tie ON COMMIT DROP AS
{% for r in references %}
SELECT c.seq AS a, p.seq AS b FROM pg_temp.raw_{{ r.from }} c
JOIN pg_temp.raw_{{ r.to }} p ON {% for i in r.columns %}p.n{{ r.to_columns[loop.index0] }} = c.n{{ i }}{{ " AND " if not loop.last }}{% endfor %} AND p.depth = 0
WHERE c.depth = 0{{ " UNION ALL" if not loop.last }}
{% endfor %};
CREATE INDEX ON pg_temp.tied (id);
ANALYZE pg_temp.tied; ANALYZE pg_temp.tie;
DO $tie$
BEGIN
  LOOP
    UPDATE pg_temp.tied t SET xid = m.xid
    FROM (SELECT x.id, min(y.xid) AS xid FROM (SELECT a AS id, b AS other FROM pg_temp.tie UNION ALL SELECT b, a FROM pg_temp.tie) x
          JOIN pg_temp.tied y ON y.id = x.other GROUP BY x.id) m
    WHERE m.id = t.id AND m.xid < t.xid;
    EXIT WHEN NOT FOUND;
    -- Long chains are halved at each turn.
    UPDATE pg_temp.tied t SET xid = r.xid FROM pg_temp.tied r WHERE r.id = t.xid AND r.xid < t.xid;
  END LOOP;
END
$tie$;
{% for no in tables %}
UPDATE pg_temp.raw_{{ no }} r SET xid = t.xid FROM pg_temp.tied t WHERE t.id = r.seq AND t.xid <> r.xid AND r.depth = 0;
{% endfor %}
DROP TABLE pg_temp.tied, pg_temp.tie;
