-- Backfills with held units that a decision has set free, or that wait for a rejected one. No parameters.
SELECT e.event FROM his_emergency.event e
WHERE e.epoch = 0 AND EXISTS (
  SELECT FROM his_emergency.unit u WHERE u.event = e.event AND u.status = 'held' AND (
    EXISTS (SELECT FROM his_emergency.conflict c WHERE (c.event, c.generation, c.xid) = (u.event, u.generation, u.xid) AND c.take IS NOT NULL)
    OR EXISTS (SELECT FROM his_emergency.waits w JOIN his_emergency.unit r ON r.event = e.event AND w.on_unit = r.event || '/' || r.generation || '-' || r.xid
               WHERE w.unit = u.event || '/' || u.generation || '-' || u.xid AND r.status = 'rejected')))
ORDER BY e.event;
