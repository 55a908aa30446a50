-- Stages the rows of one table that the snapshot has and the primary lacks (depth 0), or has with other content (depth 1).
-- A row's number is made of its table and key, so that each run finds the same row under the same number. Parameters: a target, at.
ANALYZE pg_temp.snapshot_{{ no }};
INSERT INTO pg_temp.raw_{{ no }} (b, seq, xid, op, depth, left_out, at{% for c in columns %}, n{{ c.i }}{% endfor %})
SELECT 1, r.id, r.id, 'I', CASE WHEN t.{{ key[0].name | id }} IS NULL THEN 0 ELSE 1 END, false, {{ at | lit }}{% for c in columns %}, s.n{{ c.i }}{% endfor %}

FROM pg_temp.snapshot_{{ no }} s
LEFT JOIN {{ table }} t ON {% for k in key %}t.{{ k.name | id }} = s.n{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}

CROSS JOIN LATERAL (SELECT ('x' || "left"(md5({{ name | lit }} || ROW({% for k in key %}s.n{{ k.i }}{{ ", " if not loop.last }}{% endfor %})::text), 15))::bit(60)::bigint AS id) r
WHERE t.{{ key[0].name | id }} IS NULL{% for c in columns if c.guarded and not c.is_key %} OR NOT record_image_eq(ROW(t.{{ c.name | id }}::{{ c.type }}), ROW(s.n{{ c.i }})){% endfor %};
