-- Takes the login from a window role. Parameters: role.
ALTER ROLE {{ role | id }} NOLOGIN;
