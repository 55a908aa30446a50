-- Rows whose number lies in a part of a block. Parameters: table (quoted), column, after, last.
SELECT pg_catalog.count(*) FROM {{ table }} WHERE {{ column | id }} > {{ after }} AND {{ column | id }} <= {{ last }}
