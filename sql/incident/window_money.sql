-- Money of an event by window, table and column: sums of new minus old of all its units, held and rejected ones too. $1 event.
SELECT coalesce(u.db_user, ''), coalesce(u.application, ''), coalesce(u.address, ''), m.table_name || '.' || m.column_name, sum(m.amount)::text
FROM his_emergency.unit u JOIN his_emergency.unit_money m USING (event, generation, xid)
WHERE u.event = $1 GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4;
