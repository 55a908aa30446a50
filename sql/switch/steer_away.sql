-- Lets a window's new connection step over this database to the primary. Parameters: database.
ALTER DATABASE {{ database | id }} SET default_transaction_read_only = on;
