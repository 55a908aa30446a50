-- Carries one setting of the primary's database over. Parameters: database, role (or none), name (quoted), name_text, value,
-- list (the value is a list of quoted names: it goes by way of the session, so that the server itself takes it apart).
{% if list %}SELECT pg_catalog.set_config({{ name_text | lit }}, {{ value | lit }}, true);{% endif %}

{% if role is none %}ALTER DATABASE {{ database | id }}{% else %}ALTER ROLE {{ role | id }} IN DATABASE {{ database | id }}{% endif %} SET {{ name }} {% if list %}FROM CURRENT{% else %}TO {{ value | lit }}{% endif %};
