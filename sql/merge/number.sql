-- What became of a number, emergency or official. $1 number.
SELECT n.event || '/' || n.generation || '-' || n.xid, n.table_name, n.key, n.column_name, n.emergency, n.official, u.status
FROM his_emergency.number_given n JOIN his_emergency.unit u USING (event, generation, xid)
WHERE n.emergency = $1 OR n.official = $1;
