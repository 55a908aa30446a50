-- Gives a role a setting in every database. Parameters: role, name (quoted), name_text, value,
-- list (the value is a list of quoted names: it goes by way of the session, so that the server itself takes it apart).
{% if list %}SELECT pg_catalog.set_config({{ name_text | lit }}, {{ value | lit }}, true);{% endif %}

ALTER ROLE {{ role | id }} SET {{ name }} {% if list %}FROM CURRENT{% else %}TO {{ value | lit }}{% endif %};
