-- Writes what units wait for, and closes the record of this transaction. No parameters; a part of record.sql.
INSERT INTO his_emergency.conflict (event, generation, xid, kind, rule, reason, differ)
SELECT x.event, x.generation, x.xid, c.kind, c.rule, c.reason, c.differ
FROM pg_temp.conflict c JOIN pg_temp.unit x USING (u) WHERE c.seq IS NULL AND x.status IN ('held', 'rejected') AND NOT x.recorded AND x.status = 'held' AND NOT x.asked
  AND NOT EXISTS (SELECT FROM his_emergency.conflict k WHERE (k.event, k.generation, k.xid, k.kind, k.rule) = (x.event, x.generation, x.xid, c.kind, c.rule) AND k.seq IS NULL)
ORDER BY x.u, c.kind, c.rule;
DELETE FROM his_emergency.waits w USING pg_temp.outcome o JOIN pg_temp.unit x USING (u) WHERE w.unit = x.name AND x.prior = 'held' AND o.status = 'merged';
DELETE FROM his_emergency.waits w USING pg_temp.unit x WHERE w.unit = x.name AND x.prior = 'held' AND x.status IN ('held', 'rejected') AND NOT x.recorded;
INSERT INTO his_emergency.waits (unit, on_unit, kind)
SELECT DISTINCT ON (x.name, h.name) x.name, h.name, e.kind FROM pg_temp.edge e JOIN pg_temp.unit x ON x.u = e.u JOIN pg_temp.unit h ON h.u = e.on_u
WHERE x.status IN ('held', 'rejected') AND NOT x.recorded AND x.status = 'held' AND h.status = 'held' ORDER BY x.name, h.name, e.kind
ON CONFLICT DO NOTHING;
DELETE FROM his_emergency.conflict k USING pg_temp.unit x
WHERE x.prior = 'held' AND x.status IN ('held', 'rejected') AND NOT x.recorded AND (k.event, k.generation, k.xid) = (x.event, x.generation, x.xid) AND k.kind = 'depends';
INSERT INTO his_emergency.conflict (event, generation, xid, kind, rule, reason, differ)
SELECT x.event, x.generation, x.xid, 'depends', '', 'waits for the held unit ' || coalesce((
  SELECT h.name FROM pg_temp.edge e JOIN pg_temp.unit h ON h.u = e.on_u WHERE e.u = x.u AND h.status = 'held' ORDER BY h.kind = 'depends', h.u LIMIT 1), '?'), '{}'
FROM pg_temp.unit x WHERE x.status IN ('held', 'rejected') AND NOT x.recorded AND x.status = 'held' AND x.kind = 'depends'
  AND NOT EXISTS (SELECT FROM his_emergency.conflict k WHERE (k.event, k.generation, k.xid) = (x.event, x.generation, x.xid) AND k.kind <> 'depends' AND k.take IS NULL)
ORDER BY x.u;
UPDATE pg_temp.unit SET recorded = true WHERE status IN ('held', 'rejected') AND NOT recorded;
-- Nothing that a later chunk finds can hold what is merged.
UPDATE pg_temp.unit x SET status = 'merged' FROM pg_temp.outcome o WHERE o.u = x.u AND o.status = 'merged';
DROP TABLE pg_temp.outcome;
