-- Stages the units that the ledger holds or has rejected, from the images it keeps of them; batch numbers below zero.
-- Parameters: tables [{no, name, columns [{i, name, type}]}], backfill (only that event's; without it, all but those of backfills, which have epoch 0).
INSERT INTO pg_temp.batch
SELECT -(row_number() OVER (ORDER BY e.epoch, w.batch, w.generation))::integer, w.event, e.epoch, w.batch, w.generation
FROM (SELECT DISTINCT event, batch, generation FROM his_emergency.unit WHERE status <> 'merged') w JOIN his_emergency.event e USING (event)
WHERE {% if backfill %}w.event = {{ backfill | lit }}{% else %}e.epoch > 0{% endif %};
INSERT INTO pg_temp.raw_unit (b, generation, xid, last_seq, rows, at, "user", application, address, prior, hash)
SELECT b.b, l.generation, l.xid, l.last_seq, l.rows, l.at, l.db_user, l.application, l.address, l.status, l.hash
FROM his_emergency.unit l JOIN pg_temp.batch b ON b.b < 0 AND (b.event, b.batch, b.generation) = (l.event, l.batch, l.generation)
WHERE l.status <> 'merged';
{% for t in tables %}
INSERT INTO pg_temp.raw_{{ t.no }} (b, seq, xid, op, left_out, knows{% for c in t.columns %}, o{{ c.i }}, n{{ c.i }}{% endfor %})
SELECT b.b, w.seq, w.xid, w.op, w.left_out, w.knows{% for c in t.columns %}, w.old[array_position(w.columns, {{ c.name | lit }})]::{{ c.type }}, w.new[array_position(w.columns, {{ c.name | lit }})]::{{ c.type }}{% endfor %}

FROM his_emergency.change w
JOIN his_emergency.unit l USING (event, generation, xid)
JOIN pg_temp.batch b ON b.b < 0 AND (b.event, b.batch, b.generation) = (l.event, l.batch, l.generation)
WHERE w.table_name = {{ t.name | lit }} AND l.status <> 'merged';
{% endfor %}
