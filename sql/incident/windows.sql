-- Units of an event by window, as the ledger has them; a window is a client by user, program and address. $1 event.
SELECT coalesce(u.db_user, ''), coalesce(u.application, ''), coalesce(u.address, ''), count(*)
FROM his_emergency.unit u WHERE u.event = $1 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
