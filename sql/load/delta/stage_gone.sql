-- Makes `gone` of the keys that are on the staged pages here and not among the staged rows. Parameters: table (quoted), partitioned (else what inherits from it is left alone), key (columns), hash (of a key of t, as an expression), mask, some (whether there is a page at all: to hash every key takes long).
CREATE TEMPORARY TABLE gone ON COMMIT DROP AS SELECT {% for c in key %}t.{{ c | id }}{{ ", " if not loop.last }}{% endfor %} FROM {{ "" if partitioned else "ONLY " }}{{ table }} t
WHERE {{ "true" if some else "false" }}
  AND {{ hash }} & {{ mask }} IN (SELECT page FROM pg_temp.page)
  AND NOT EXISTS (SELECT FROM pg_temp.put s WHERE {% for c in key %}s.{{ c | id }} = t.{{ c | id }}{{ " AND " if not loop.last }}{% endfor %});
DROP TABLE pg_temp.page
