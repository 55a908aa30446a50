-- The highest number that each row of one column reached here while the gate was open. $1 no of the column.
-- NaN and what no bigint holds is no number that anybody hands out.
SELECT key, pg_catalog.max(pg_catalog.ceil(reached))::bigint FROM his_emergency.handed
WHERE no = $1 AND reached BETWEEN -9223372036854775807 AND 9223372036854775807
GROUP BY key ORDER BY key
