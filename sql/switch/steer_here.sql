-- Lets a window's new connection land on this database. Parameters: database.
ALTER DATABASE {{ database | id }} RESET default_transaction_read_only;
