-- Whether a unit is held all whose own conflicts somebody has decided.
SELECT EXISTS (
  SELECT FROM his_emergency.unit u JOIN his_emergency.conflict c USING (event, generation, xid)
  WHERE u.status = 'held'
  GROUP BY u.event, u.generation, u.xid
  HAVING bool_and(c.take IS NOT NULL OR c.kind = 'depends') AND bool_or(c.take IS NOT NULL));
