-- Highest number of a block that is in one column; NULL when none is. Parameters: table (quoted), column, first, last.
SELECT pg_catalog.max({{ column | id }})::bigint FROM {{ table }} WHERE {{ column | id }} BETWEEN {{ first }} AND {{ last }}
