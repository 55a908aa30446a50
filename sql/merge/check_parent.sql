-- Applied deletes and key changes of a range that leave a reference to nothing. Parameters: no, table, columns [{i, name}]
-- (the referenced ones), from_table, from_columns; a part of check_range.sql.
SELECT s.u, s.seq FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x USING (u)
WHERE x.applied AND s.chunk = this_chunk AND x.chunk = this_chunk AND NOT s.left_out
  AND (s.op = 'D' OR (s.op = 'U' AND s.changed && ARRAY[{% for c in columns %}{{ c.i }}{{ ", " if not loop.last }}{% endfor %}]::integer[]))
  AND EXISTS (SELECT FROM {{ from_table }} c WHERE {% for c in columns %}c.{{ from_columns[loop.index0] | id }} = s.o{{ c.i }}{{ " AND " if not loop.last }}{% endfor %})
  AND NOT EXISTS (SELECT FROM {{ table }} p WHERE {% for c in columns %}p.{{ c.name | id }} = s.o{{ c.i }}{{ " AND " if not loop.last }}{% endfor %})
