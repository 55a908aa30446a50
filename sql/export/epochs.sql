-- Epochs that have units in no batch. A unit without changes, or without a unit row, is told apart when units are chosen. No parameters.
SELECT DISTINCT u.epoch FROM his_emergency.unit u
WHERE NOT EXISTS (SELECT FROM his_emergency.exported e WHERE e.xid = u.xid)
ORDER BY 1;
