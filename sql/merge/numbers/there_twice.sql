-- Official numbers of an event that the primary has on more than one row. Parameters: table (quoted), column. $1 event, $2 table as the ledger names it, $3 column.
SELECT t.{{ column | id }}::text, count(*) FROM {{ table }} t
WHERE t.{{ column | id }}::text IN (SELECT official FROM his_emergency.number_given WHERE event = $1 AND table_name = $2 AND column_name = $3)
GROUP BY 1 HAVING count(*) > 1 ORDER BY 1
