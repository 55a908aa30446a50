-- Rows of a table without a key that the snapshot has and the primary does not, and the other way round. Parameters: no, table, columns [{i, name, type}].
SELECT (SELECT count(*) FROM (
    SELECT ROW({% for c in columns %}s.n{{ c.i }}{{ ", " if not loop.last }}{% endfor %})::text FROM pg_temp.snapshot_{{ no }} s EXCEPT ALL
    SELECT ROW({% for c in columns %}t.{{ c.name | id }}::{{ c.type }}{{ ", " if not loop.last }}{% endfor %})::text FROM {{ table }} t) x),
  (SELECT count(*) FROM (
    SELECT ROW({% for c in columns %}t.{{ c.name | id }}::{{ c.type }}{{ ", " if not loop.last }}{% endfor %})::text FROM {{ table }} t EXCEPT ALL
    SELECT ROW({% for c in columns %}s.n{{ c.i }}{{ ", " if not loop.last }}{% endfor %})::text FROM pg_temp.snapshot_{{ no }} s) x)
