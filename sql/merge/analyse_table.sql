-- Finds out what one table's staged changes changed, moved, touched and referenced.
-- Parameters: no, name, partitioned, replay, columns [{i, name, data}], key [{i}], weak [i], rules [{rule, columns [i]}],
-- reads [{to_no, to_name, rule, columns [i], document}], money [{column, difference}].
{% for m in money %}
INSERT INTO pg_temp.stage_money SELECT c.xid, {{ name | lit }}, {{ m.column | lit }}, sum({{ m.difference }}) FROM pg_temp.stage_{{ no }} c GROUP BY c.xid
  HAVING sum({{ m.difference }}) <> 0;
{% endfor %}
{% if partitioned %}
-- A row that moves between partitions arrives as a delete and an insert; with the same key it is one update.
WITH pairs AS (
  SELECT d.seq AS gone, min(i.seq) AS come FROM pg_temp.stage_{{ no }} d JOIN pg_temp.stage_{{ no }} i
    ON i.xid = d.xid AND i.op = 'I' AND i.seq > d.seq AND record_image_eq(ROW({% for k in key %}i.n{{ k.i }}{{ ", " if not loop.last }}{% endfor %}), ROW({% for k in key %}d.o{{ k.i }}{{ ", " if not loop.last }}{% endfor %}))
  WHERE d.op = 'D' AND i.left_out = d.left_out GROUP BY d.seq),
joined AS (
  UPDATE pg_temp.stage_{{ no }} i SET op = 'U'{% for c in columns %}, o{{ c.i }} = d.o{{ c.i }}{% endfor %}

  FROM pairs p JOIN pg_temp.stage_{{ no }} d ON d.seq = p.gone
  WHERE i.seq = p.come AND NOT EXISTS (SELECT FROM pairs q WHERE q.come = p.come AND q.gone > p.gone) RETURNING d.seq)
DELETE FROM pg_temp.stage_{{ no }} s USING joined WHERE s.seq = joined.seq;
{% endif %}
UPDATE pg_temp.stage_{{ no }} SET changed = array_remove(ARRAY[
{% for c in columns if c.data %}
  CASE WHEN NOT (record_image_eq(ROW(o{{ c.i }}), ROW(n{{ c.i }}))) THEN {{ c.i }} END{{ "," if not loop.last }}
{% endfor %}
]::integer[], NULL) WHERE op = 'U';
INSERT INTO pg_temp.work SELECT xid, seq, {{ no }}, {{ replay }} FROM pg_temp.stage_{{ no }} WHERE NOT left_out;
{% for r in rules %}
INSERT INTO pg_temp.touch
SELECT s.xid, s.seq, {{ no }}, {{ r.rule | lit }}, v.value, coalesce(s.op = 'U' AND s.changed <@ ARRAY[{{ weak | join(", ") }}]::integer[], false), v.creates
FROM pg_temp.stage_{{ no }} s
CROSS JOIN LATERAL (
  SELECT ROW({% for k in r.columns %}s.o{{ k }}{{ ", " if not loop.last }}{% endfor %})::text AS value, false AS creates
  WHERE s.op <> 'I' AND {% for k in r.columns %}s.o{{ k }} IS NOT NULL{{ " AND " if not loop.last }}{% endfor %}

  UNION ALL
  SELECT ROW({% for k in r.columns %}s.n{{ k }}{{ ", " if not loop.last }}{% endfor %})::text, true
  WHERE s.op <> 'D' AND {% for k in r.columns %}s.n{{ k }} IS NOT NULL{{ " AND " if not loop.last }}{% endfor %}

    AND (s.op = 'I' OR s.changed && ARRAY[{{ r.columns | join(", ") }}]::integer[])
) v
{% if not r.key %}
-- A unique value only matters where it is freed or taken.
WHERE s.op <> 'U' OR s.changed && ARRAY[{{ r.columns | join(", ") }}]::integer[]
{% endif %};
{% endfor %}
{% for r in reads %}
INSERT INTO pg_temp.read_key
SELECT DISTINCT s.xid, {{ r.to_no }}, {{ r.to_name | lit }}, {{ r.rule | lit }}, ROW({% for k in r.columns %}s.n{{ k }}{{ ", " if not loop.last }}{% endfor %})::text, {{ r.document }}
FROM pg_temp.stage_{{ no }} s
WHERE s.op <> 'D' AND {% for k in r.columns %}s.n{{ k }} IS NOT NULL{{ " AND " if not loop.last }}{% endfor %}

  AND (s.op = 'I' OR s.changed && ARRAY[{{ r.columns | join(", ") }}]::integer[]);
{% endfor %}
CREATE INDEX ON pg_temp.stage_{{ no }} (xid);
ANALYZE pg_temp.stage_{{ no }};
