-- Rows of an event that were on the primary already, whole and equal. $1 event.
SELECT event || '/' || generation || '-' || xid, table_name, key FROM his_emergency.already WHERE event = $1 ORDER BY 1, 2, 3;
