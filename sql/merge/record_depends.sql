-- Writes the held units of a range that have no row of their own to show: they wait for another. Parameters: event, first, last.
INSERT INTO his_emergency.conflict (event, generation, xid, kind, reason)
SELECT {{ event | lit }}, generation, xid, kind, coalesce(reason, '')
FROM pg_temp.stage_unit WHERE status = 'held' AND at_seq IS NULL AND pos BETWEEN {{ first }} AND {{ last }};
