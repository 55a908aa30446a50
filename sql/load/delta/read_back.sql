-- Sends the rows of a table that are staged, as they are there now. Parameters: table (quoted), stage (quoted), columns, key (columns).
COPY (SELECT {{ columns | ids }} FROM {{ table }} WHERE ({{ key | ids }}) IN (SELECT {{ key | ids }} FROM {{ stage }})) TO STDOUT (FORMAT csv, HEADER)
