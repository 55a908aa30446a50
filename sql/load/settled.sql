-- How many of these units the primary's ledger shows as merged, held or rejected. $1 generation, $2 xids, $3 site:
-- each site counts its generations from 1, and the transaction ids of several standbys meet.
SELECT pg_catalog.count(DISTINCT u.xid) FROM his_emergency.unit u
WHERE pg_catalog.split_part(u.event, '-', 1) = $3::text AND u.generation = $1::bigint AND u.xid = ANY ($2::bigint[]) AND u.status IN ('merged', 'held', 'rejected')
