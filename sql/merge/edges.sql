-- Who depends on whom among the staged units, and who on a unit that is held already. Parameters: tables [{no, name}].
CREATE INDEX ON pg_temp.work (xid, seq);
CREATE INDEX ON pg_temp.touch (table_no, rule, value);
ANALYZE pg_temp.work; ANALYZE pg_temp.touch; ANALYZE pg_temp.read_key; ANALYZE pg_temp.stage_unit;
-- Each touch of a key or unique value depends on the touch before it; a change of counters alone is no touch.
INSERT INTO pg_temp.edge
SELECT DISTINCT xid, before FROM (
  SELECT t.xid, lag(t.xid) OVER (PARTITION BY t.table_no, t.rule, t.value ORDER BY u.pos, t.seq) AS before
  FROM pg_temp.touch t JOIN pg_temp.stage_unit u USING (xid) WHERE NOT t.weak) q
WHERE before <> xid;
-- A reference depends on the unit that made the key it references; a document holds in both directions.
INSERT INTO pg_temp.edge
SELECT DISTINCT r.xid, t.xid FROM pg_temp.read_key r JOIN pg_temp.touch t USING (table_no, rule, value) WHERE t.creates AND t.xid <> r.xid;
INSERT INTO pg_temp.edge
SELECT DISTINCT t.xid, r.xid FROM pg_temp.read_key r JOIN pg_temp.touch t USING (table_no, rule, value) WHERE r.document AND t.creates AND t.xid <> r.xid;
CREATE INDEX ON pg_temp.edge (on_xid);
CREATE INDEX ON pg_temp.edge (xid);
ANALYZE pg_temp.edge;
UPDATE pg_temp.stage_unit u SET status = 'held', kind = 'depends', reason = 'waits for the held unit ' || q.holder
FROM (
  SELECT DISTINCT ON (x.xid) x.xid, h.event || '/' || h.generation || '-' || h.xid AS holder
  FROM (
    SELECT r.xid, r.table_name, r.rule, r.value, true AS reads FROM pg_temp.read_key r
{% for t in tables %}
    UNION ALL SELECT t.xid, {{ t.name | lit }}, t.rule, t.value, false FROM pg_temp.touch t WHERE t.table_no = {{ t.no }} AND NOT t.weak
{% endfor %}
  ) x
  JOIN his_emergency.held_touch h ON h.table_name = x.table_name AND h.rule = x.rule AND md5(h.value) = md5(x.value) AND h.value = x.value AND (h.creates OR NOT x.reads)
  JOIN his_emergency.unit l ON l.event = h.event AND l.generation = h.generation AND l.xid = h.xid AND l.status <> 'merged'
  ORDER BY x.xid, h.event, h.generation, h.xid) q
WHERE q.xid = u.xid AND u.status = 'new';
