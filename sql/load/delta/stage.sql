-- Makes a table for rows on their way into another. Parameters: stage, table (quoted), columns.
CREATE TEMPORARY TABLE {{ stage | id }} ON COMMIT DROP AS SELECT {{ columns | ids }} FROM {{ table }} WITH NO DATA
