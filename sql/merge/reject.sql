-- Rejects the unit of a conflict. $1 id, $2 by, $3 why, $4 what became of its money.
UPDATE his_emergency.unit u SET status = 'rejected', by = $2, why = $3, money = $4, settled_at = clock_timestamp()
FROM his_emergency.conflict c WHERE c.id = $1 AND (u.event, u.generation, u.xid) = (c.event, c.generation, c.xid) AND u.status = 'held';
