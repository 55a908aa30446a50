-- Gives a window role its login back. Parameters: role.
ALTER ROLE {{ role | id }} LOGIN;
