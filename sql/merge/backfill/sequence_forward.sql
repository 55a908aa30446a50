-- Sets one sequence forward to where it stood, never back; a short way number by number, so that none is given twice meanwhile.
-- Gives where it stood, or nothing when it is not behind. Parameters: sequence (quoted), last, called.
WITH seq AS (
  SELECT s.last_value, s.is_called, q.seqincrement AS step, q.seqmin AS lowest, q.seqmax AS highest
  FROM {{ sequence }} s, pg_catalog.pg_sequence q WHERE q.seqrelid = {{ sequence | lit }}::pg_catalog.regclass AND NOT q.seqcycle),
way AS (
  SELECT last_value, is_called, ({{ last }} - last_value + step - sign(step)::bigint) / step + CASE WHEN is_called THEN 0 ELSE 1 END AS steps FROM seq
  WHERE {{ called }} AND {{ last }} BETWEEN lowest AND highest AND ((is_called AND ({{ last }} - last_value) * sign(step) > 0) OR NOT is_called AND ({{ last }} - last_value) * sign(step) >= 0)),
near AS (SELECT count(pg_catalog.nextval({{ sequence | lit }}::pg_catalog.regclass)) AS done FROM way, pg_catalog.generate_series(1, way.steps) WHERE way.steps <= 1000),
far AS (SELECT count(pg_catalog.setval({{ sequence | lit }}::pg_catalog.regclass, {{ last }}, true)) AS done FROM way WHERE way.steps > 1000)
SELECT way.last_value, near.done + far.done FROM way, near, far
