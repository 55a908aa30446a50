-- Holds every unit that depends on one that is held or rejected. No parameters.
WITH RECURSIVE held(u) AS (
  SELECT u FROM pg_temp.unit WHERE status IN ('held', 'rejected')
  UNION
  SELECT e.u FROM held JOIN pg_temp.edge e ON e.on_u = held.u)
UPDATE pg_temp.unit x SET status = 'held', kind = coalesce(x.kind, 'depends') FROM held WHERE x.u = held.u AND x.status = 'new';
