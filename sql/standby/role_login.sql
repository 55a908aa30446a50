-- Lets a role log in. Parameters: role.
ALTER ROLE {{ role | id }} LOGIN
