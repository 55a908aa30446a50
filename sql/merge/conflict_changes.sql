-- The changes that the ledger keeps of a held unit. $1 unit.
SELECT table_name, op::text, columns, old, new FROM his_emergency.change WHERE event || '/' || generation || '-' || xid = $1 AND NOT left_out ORDER BY seq;
