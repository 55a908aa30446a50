-- Staging of one table's changes as the batches have them, in the primary's own base types. Parameters: no, columns [{i, type}].
DROP TABLE IF EXISTS pg_temp.raw_{{ no }}, pg_temp.stage_{{ no }};
CREATE TEMPORARY TABLE raw_{{ no }} (
  b integer, seq bigint NOT NULL, xid bigint NOT NULL, op "char" NOT NULL, depth smallint, left_out boolean NOT NULL, at timestamptz, knows text
{% for c in columns %}
  , o{{ c.i }} {{ c.type }}
{% endfor %}
{% for c in columns %}
  , n{{ c.i }} {{ c.type }}
{% endfor %}
);
