-- Carries one setting of the primary's database over, by way of the session so that the server itself writes lists as
-- it wants them. Parameters: database, role (or none), name (quoted), name_text, value.
SELECT pg_catalog.set_config({{ name_text | lit }}, {{ value | lit }}, true);
{% if role is none %}ALTER DATABASE {{ database | id }}{% else %}ALTER ROLE {{ role | id }} IN DATABASE {{ database | id }}{% endif %} SET {{ name }} FROM CURRENT;
