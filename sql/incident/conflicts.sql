-- Conflicts of an event by kind and table, and what became of them. $1 event.
SELECT c.kind, c.table_name, coalesce(c.take, ''), c.by_policy, count(*)
FROM his_emergency.conflict c WHERE c.event = $1 GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1, 2, 3;
