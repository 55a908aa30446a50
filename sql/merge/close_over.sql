-- Holds every unit that depends on a held one. No parameters.
WITH RECURSIVE held(xid, cause) AS (
  SELECT xid, xid FROM pg_temp.stage_unit WHERE status = 'held'
  UNION
  SELECT e.xid, e.on_xid FROM pg_temp.edge e JOIN held ON e.on_xid = held.xid)
UPDATE pg_temp.stage_unit u SET status = 'held', kind = 'depends', reason = 'waits for the held unit ' || c.unit
FROM (SELECT DISTINCT ON (xid) xid, cause FROM held ORDER BY xid, cause) h JOIN pg_temp.stage_unit c ON c.xid = h.cause
WHERE u.xid = h.xid AND u.status = 'new';
