-- Steers the windows away from a closed database. Parameters: database.
ALTER DATABASE {{ database | id }} SET default_transaction_read_only = on
