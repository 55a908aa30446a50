-- Makes the queue of one captured table. Parameters: no, schema, name, columns [{name, base_type}], key [], money [],
-- table (quoted), searched [[column]]: what the capture looks up with each new row.
-- Images are kept in columns of the table's own types, so that no setting of a window's session can change a value. No index:
-- a queue is read whole, and every window would pay for it.
CREATE TABLE his_emergency.change_{{ no }} (
  seq bigint NOT NULL,
  xid bigint NOT NULL,
  op "char" NOT NULL,
  depth smallint NOT NULL,
  left_out boolean NOT NULL,
  at timestamptz NOT NULL,
  knows text  -- JSON: what the standby knew of rows like this one, for same_as, once and guard
{% for c in columns %}
  , o{{ loop.index }} {{ c.base_type }}
{% endfor %}
{% for c in columns %}
  , n{{ loop.index }} {{ c.base_type }}
{% endfor %}
);
INSERT INTO his_emergency.captured (table_no, schema_name, table_name, columns, types, key, money) VALUES (
  {{ no }}, {{ schema | lit }}, {{ name | lit }},
  ARRAY[{% for c in columns %}{{ c.name | lit }}{% if not loop.last %}, {% endif %}{% endfor %}]::text[],
  ARRAY[{% for c in columns %}{{ c.base_type | lit }}{% if not loop.last %}, {% endif %}{% endfor %}]::text[],
  ARRAY[{% for c in key %}{{ c | lit }}{% if not loop.last %}, {% endif %}{% endfor %}]::text[],
  ARRAY[{% for c in money %}{{ c | lit }}{% if not loop.last %}, {% endif %}{% endfor %}]::text[]);
{% for columns in searched %}
CREATE INDEX ON {{ table }} ({{ columns | ids }});
{% endfor %}
