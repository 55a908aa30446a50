-- Which of these values a column has. $1 values. Parameters: table (quoted), column.
SELECT DISTINCT {{ column | id }}::text FROM {{ table }} WHERE {{ column | id }}::text = ANY ($1)
