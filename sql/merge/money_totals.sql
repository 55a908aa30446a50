-- Money of an event by column and outcome. $1 event.
SELECT m.table_name, m.column_name, u.status, sum(m.amount)::text
FROM his_emergency.unit_money m JOIN his_emergency.unit u USING (event, generation, xid)
WHERE u.event = $1 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
