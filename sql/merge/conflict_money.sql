-- The money of a unit, by table and column. $1 unit.
SELECT table_name, column_name, amount::text FROM his_emergency.unit_money WHERE event || '/' || generation || '-' || xid = $1 ORDER BY 1, 2;
