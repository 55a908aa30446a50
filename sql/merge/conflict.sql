-- One conflict with its unit, and the units that wait for it. $1 id.
WITH RECURSIVE waiting(unit) AS (
  SELECT w.unit FROM his_emergency.conflict c JOIN his_emergency.waits w ON w.on_unit = c.event || '/' || c.generation || '-' || c.xid WHERE c.id = $1
  UNION
  SELECT w.unit FROM waiting q JOIN his_emergency.waits w ON w.on_unit = q.unit)
SELECT c.id, c.event || '/' || c.generation || '-' || c.xid AS unit, c.table_name, c.key, c.kind, c.reason, c.standby, c."primary", c.differ, c.rule,
  coalesce((SELECT array_agg(q.unit ORDER BY q.unit) FROM waiting q WHERE q.unit <> c.event || '/' || c.generation || '-' || c.xid), '{}') AS holds,
  u.status, u.at, u.db_user, u.application, u.address, c.take, c.decided_by, c.why, c.seq, c.event
FROM his_emergency.conflict c JOIN his_emergency.unit u USING (event, generation, xid) WHERE c.id = $1;
