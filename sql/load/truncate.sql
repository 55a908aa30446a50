-- Makes the table new in this transaction, so that its rows can be written frozen and without WAL where the server allows it. Parameters: table (quoted).
TRUNCATE ONLY {{ table }}
