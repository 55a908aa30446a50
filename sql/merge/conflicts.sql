-- Conflicts of units that are still held and that nobody has decided, with the units that wait for each. $1 event, or NULL for all.
-- A conflict holds everything that waits for its unit, at any remove.
WITH RECURSIVE open AS (
  SELECT c.*, c.event || '/' || c.generation || '-' || c.xid AS unit
  FROM his_emergency.conflict c JOIN his_emergency.unit u USING (event, generation, xid)
  WHERE u.status = 'held' AND c.take IS NULL AND ($1::text IS NULL OR c.event = $1)),
waiting(id, unit) AS (
  SELECT o.id, w.unit FROM open o JOIN his_emergency.waits w ON w.on_unit = o.unit WHERE o.kind <> 'depends'
  UNION
  SELECT q.id, w.unit FROM waiting q JOIN his_emergency.waits w ON w.on_unit = q.unit)
SELECT o.id, o.unit, o.table_name, o.key, o.kind, o.reason, o.standby, o."primary", o.differ, o.rule,
  coalesce((SELECT array_agg(DISTINCT q.unit ORDER BY q.unit) FROM waiting q WHERE q.id = o.id AND q.unit <> o.unit), '{}')
FROM open o ORDER BY o.kind = 'depends', o.id;
