-- Sends the header of one table's CSV and no row. Parameters: table (quoted), columns.
COPY (SELECT {{ columns | ids }} FROM ONLY {{ table }} WHERE false) TO STDOUT (FORMAT csv, HEADER)
