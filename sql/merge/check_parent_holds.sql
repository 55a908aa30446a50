-- True when none of the applied changes of a range, s, takes away what may be referenced. Parameters: columns [{i, name}]; a part of
-- check_range.sql.
NOT EXISTS (SELECT FROM s WHERE s.op = 'D' OR s.op = 'U' AND s.changed && ARRAY[{% for c in columns %}{{ c.i }}{{ ", " if not loop.last }}{% endfor %}]::integer[])
