-- Makes an empty database as the server makes them by default. Parameters: database.
CREATE DATABASE {{ database | id }} TEMPLATE template0
