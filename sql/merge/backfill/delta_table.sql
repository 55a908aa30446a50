-- Empty staging for what a delta says of one table: its rows, and the keys that are gone or the pages of hashed keys. Parameters: no, columns [{i, type}].
CREATE TEMPORARY TABLE delta_{{ no }} ({% for c in columns %}n{{ c.i }} {{ c.type }}{{ ", " if not loop.last }}{% endfor %}) ON COMMIT DROP;
CREATE TEMPORARY TABLE gone_{{ no }} (key bigint) ON COMMIT DROP;
