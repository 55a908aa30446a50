-- Takes a sequence from its owner and leaves him its use. Parameters: sequence (quoted), owner, follows (it went with its table already).
{% if not follows %}
ALTER SEQUENCE {{ sequence }} OWNER TO CURRENT_USER;
{% endif %}
GRANT ALL ON SEQUENCE {{ sequence }} TO {{ owner | id }};
