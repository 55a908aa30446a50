-- The receipt: what the ledger says now of the events of this script, between two marks, with its own SHA-256. Parameters: batches, totals, money, conflicts
-- (texts of sql/merge over e.event).
WITH told AS (
  SELECT translate(json_build_object(
    'format', 1,
    'system_identifier', (SELECT system_identifier::text FROM pg_control_system()),
    'database', current_database(),
    'run', (SELECT max(l.run) FROM pg_temp.script_batch s JOIN his_emergency.batch l USING (event, batch)),
    'finished_at', (SELECT to_char(max(r.finished_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
                    FROM pg_temp.script_batch s JOIN his_emergency.batch l USING (event, batch) JOIN his_emergency.merge_run r USING (run)),
    'events', (SELECT json_agg(json_build_object(
      'event', e.event,
      'batches', (SELECT json_agg(json_build_object('batch', q.batch, 'sha256', q.sha256, 'totals', q.totals::json, 'closing', q.closing::json) ORDER BY q.batch) FROM (
{{ batches }}
      ) q),
      'outcomes', (SELECT coalesce(json_agg(json_build_object('outcome', q.status, 'units', q.units, 'rows', q.rows) ORDER BY q.status), '[]') FROM (
{{ totals }}
      ) q (status, units, rows)),
      'money', (SELECT coalesce(json_agg(json_build_object('table', q.t, 'column', q.c, 'outcome', q.status, 'sum', q.sum) ORDER BY q.t, q.c, q.status), '[]') FROM (
{{ money }}
      ) q (t, c, status, sum)),
      'conflicts', (SELECT coalesce(json_agg(json_build_object('id', q.id, 'unit', q.unit, 'kind', q.kind, 'table', q.table_name) ORDER BY q.id), '[]') FROM (
{{ conflicts }}
      ) q)
    ) ORDER BY e.epoch) FROM his_emergency.event e WHERE e.event IN (SELECT event FROM pg_temp.script_batch))
  )::text, E'\n', ' ') AS receipt)
SELECT v.line FROM told CROSS JOIN LATERAL (VALUES
  (1, '-----BEGIN HIS-MERGE RECEIPT-----'),
  (2, told.receipt),
  (3, 'sha256 ' || encode(sha256(convert_to(told.receipt, 'UTF8')), 'hex')),
  (4, '-----END HIS-MERGE RECEIPT-----')) v (n, line) ORDER BY v.n;
