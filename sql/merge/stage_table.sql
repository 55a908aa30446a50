-- Staging of one table's changes, in the primary's own base types. Parameters: no, columns [{type}].
DROP TABLE IF EXISTS pg_temp.stage_{{ no }};
CREATE TEMPORARY TABLE stage_{{ no }} (
  seq bigint PRIMARY KEY, xid bigint NOT NULL, op "char" NOT NULL, depth smallint NOT NULL, left_out boolean NOT NULL, at timestamptz NOT NULL
{% for c in columns %}
  , o{{ c.i }} {{ c.type }}
{% endfor %}
{% for c in columns %}
  , n{{ c.i }} {{ c.type }}
{% endfor %}
  , changed integer[]
);
