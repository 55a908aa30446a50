-- Whether values of a column can be compared; only parsed. Parameters: table (quoted), column.
SELECT FROM {{ table }} a JOIN {{ table }} b ON a.{{ column | id }} = b.{{ column | id }}
