-- How many of these units the primary's ledger shows as merged, held or rejected. $1 generation, $2 xids.
SELECT pg_catalog.count(DISTINCT u.xid) FROM his_emergency.unit u
WHERE u.generation = $1::bigint AND u.xid = ANY ($2::bigint[]) AND u.status IN ('merged', 'held', 'rejected')
