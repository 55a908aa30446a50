-- Lets a window role into a database. Parameters: database, role.
GRANT CONNECT, TEMPORARY ON DATABASE {{ database | id }} TO {{ role | id }}
