-- What is decided about the conflicts that were found, by a person before or by a table's policy now, and which units are held for the rest.
-- Parameters: tables [{no, name, on_conflict}].
-- What hangs on a rejected unit is asked about, unless a conflict of its own asks already; the edge itself then says nothing more.
INSERT INTO pg_temp.conflict (u, kind, rule, reason, differ)
SELECT DISTINCT ON (e.u, r.name) e.u, CASE WHEN e.kind IN ('row', 'value') THEN 'changed' ELSE 'parent' END, 'rejected ' || r.name, 'follows the rejected unit ' || r.name, '{}'::text[]
FROM pg_temp.edge e JOIN pg_temp.unit r ON r.u = e.on_u AND r.status = 'rejected' JOIN pg_temp.unit x ON x.u = e.u AND x.status = 'new'
WHERE NOT EXISTS (SELECT FROM pg_temp.conflict c WHERE c.u = e.u AND c.seq IS NOT NULL)
ORDER BY e.u, r.name, e.kind;
DELETE FROM pg_temp.edge e USING pg_temp.unit r WHERE r.u = e.on_u AND r.status = 'rejected';
CREATE TEMPORARY TABLE table_name ON COMMIT DROP AS SELECT * FROM (VALUES (0, NULL, 'hold'){% for t in tables %}, ({{ t.no }}, {{ t.name | lit }}, {{ t.on_conflict | lit }}){% endfor %}) v (no, name, on_conflict);
UPDATE pg_temp.conflict c SET take = k.take
FROM pg_temp.unit x, his_emergency.conflict k, pg_temp.table_name n
WHERE x.u = c.u AND n.no = coalesce(c.table_no, 0) AND (k.event, k.generation, k.xid) = (x.event, x.generation, x.xid)
  AND (k.seq, k.table_name, k.kind, k.rule) IS NOT DISTINCT FROM (c.seq, n.name, c.kind, c.rule) AND k.take IS NOT NULL
  -- A parent that is still not there, or a value that is still taken, was not settled.
  AND NOT (c.seq IS NOT NULL AND c.kind IN ('parent', 'unique') AND k.take <> 'link');
-- A policy never decides where money would be left without a record, nor what a person has to settle first.
UPDATE pg_temp.conflict c SET take = n.on_conflict, by_policy = true
FROM pg_temp.table_name n, pg_temp.unit x
WHERE x.u = c.u AND n.no = c.table_no AND c.take IS NULL AND x.prior IS NULL AND c.seq IS NOT NULL
  AND (n.on_conflict = 'standby' AND c.kind IN ('exists', 'changed', 'missing', 'twin')
    OR n.on_conflict = 'primary' AND NOT EXISTS (SELECT FROM pg_temp.amount m WHERE m.u = c.u));
UPDATE pg_temp.unit x SET status = 'rejected', kind = c.kind FROM pg_temp.conflict c WHERE c.u = x.u AND x.status = 'new' AND c.by_policy AND c.take = 'primary'
  AND NOT EXISTS (SELECT FROM pg_temp.conflict o WHERE o.u = c.u AND o.take IS NULL);
UPDATE pg_temp.unit x SET status = 'held', kind = c.kind, reason = c.reason
FROM (SELECT DISTINCT ON (u) u, kind, reason FROM pg_temp.conflict WHERE take IS NULL ORDER BY u, seq NULLS LAST, kind) c WHERE c.u = x.u AND x.status = 'new';
-- What a person was asked about stays held until the answer, also when the cause has gone.
UPDATE pg_temp.unit x SET asked = true FROM his_emergency.conflict k
WHERE x.prior = 'held' AND (k.event, k.generation, k.xid) = (x.event, x.generation, x.xid) AND k.kind <> 'depends' AND k.take IS NULL;
UPDATE pg_temp.unit x SET status = 'held', kind = k.kind, reason = k.reason
FROM his_emergency.conflict k WHERE x.prior = 'held' AND x.status = 'new' AND (k.event, k.generation, k.xid) = (x.event, x.generation, x.xid) AND k.kind <> 'depends' AND k.take IS NULL;
{% for t in tables %}
UPDATE pg_temp.stage_{{ t.no }} s SET force = c.kind FROM pg_temp.conflict c WHERE c.table_no = {{ t.no }} AND (c.u, c.seq) = (s.u, s.seq) AND c.take = 'standby' AND c.kind IN ('exists', 'changed', 'missing');
{% endfor %}
INSERT INTO pg_temp.displaced SELECT u, seq, table_no, there FROM pg_temp.conflict WHERE take = 'standby' AND kind IN ('exists', 'changed') AND seq IS NOT NULL;
DROP TABLE pg_temp.table_name;
