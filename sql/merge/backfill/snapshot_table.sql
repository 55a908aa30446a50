-- Empty staging for one table of a snapshot. Parameters: no, columns [{i, type}].
CREATE TEMPORARY TABLE snapshot_{{ no }} ({% for c in columns %}n{{ c.i }} {{ c.type }}{{ ", " if not loop.last }}{% endfor %}) ON COMMIT DROP;
