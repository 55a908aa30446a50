-- Gives the right to connect. Parameters: database, role (none: PUBLIC), grantor (none: as who we are), grantable.
{% if grantor %}SET LOCAL ROLE {{ grantor | id }};
{% endif %}
GRANT CONNECT ON DATABASE {{ database | id }} TO {% if role is none %}PUBLIC{% else %}{{ role | id }}{% endif %}{% if grantable %} WITH GRANT OPTION{% endif %};
RESET ROLE;
