-- Counts the rows of a table. Parameters: table (quoted).
SELECT pg_catalog.count(*) FROM {{ table }}
