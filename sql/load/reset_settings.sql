-- Takes the settings of the filling back. Parameters: database.
ALTER DATABASE {{ database | id }} RESET ALL;
