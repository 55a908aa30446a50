-- Carries one setting over that a running session cannot take. Parameters: database, role (or none), name (quoted), value.
{% if role is none %}ALTER DATABASE {{ database | id }}{% else %}ALTER ROLE {{ role | id }} IN DATABASE {{ database | id }}{% endif %} SET {{ name }} TO {{ value | lit }};
