-- The numbers of an event's differences, and what was last accepted of each. $1 event.
SELECT d.id, d.table_name, d.key, d.column_name, a.id IS NOT NULL, a.expected, a.found, a.by, a.at, a.why
FROM his_emergency.difference d
LEFT JOIN LATERAL (SELECT * FROM his_emergency.accepted a WHERE a.difference = d.id ORDER BY a.id DESC LIMIT 1) a ON true
WHERE d.event = $1;
