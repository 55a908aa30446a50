-- Sends the rows of a table that are staged, as they are there now. Parameters: table (quoted), partitioned (else what inherits from it is left alone), stage (quoted), columns, key (columns).
COPY (SELECT {{ columns | ids }} FROM {{ "" if partitioned else "ONLY " }}{{ table }} WHERE ({{ key | ids }}) IN (SELECT {{ key | ids }} FROM {{ stage }})) TO STDOUT (FORMAT csv, HEADER)
