-- Gives a finished database its name. Parameters: database, name.
ALTER DATABASE {{ database | id }} RENAME TO {{ name | id }}
