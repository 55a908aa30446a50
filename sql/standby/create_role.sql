-- Makes a role. Parameters: role, login.
CREATE ROLE {{ role | id }} {% if login %}LOGIN{% else %}NOLOGIN{% endif %}

