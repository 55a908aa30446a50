-- Drops a database of ours, ending its sessions. Parameters: database.
DROP DATABASE IF EXISTS {{ database | id }} WITH (FORCE)
