-- Rows of an event that were found to be rows of the primary: they fell away, and their money counts as merged. $1 event.
SELECT l.event || '/' || l.generation || '-' || l.xid, l.table_name, coalesce(c.link_to, '{}'), c.decided_by, c.why
FROM his_emergency.link l JOIN his_emergency.conflict c ON c.id = l.conflict
WHERE l.event = $1 AND l.seq <> 0 ORDER BY l.at, l.conflict;
