-- Takes the right to connect away. Parameters: database, role (none: PUBLIC), grantor (none: as who we are).
-- In another's name where another granted it: a REVOKE only takes back what its own role has given.
{% if grantor %}SET LOCAL ROLE {{ grantor | id }};
{% endif %}
REVOKE CONNECT ON DATABASE {{ database | id }} FROM {% if role is none %}PUBLIC{% else %}{{ role | id }}{% endif %} CASCADE;
RESET ROLE;
