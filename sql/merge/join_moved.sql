-- A row that moves between partitions arrives as a delete and an insert; with the same key it is one update. Parameters: no, key [{i}], columns [{i}].
WITH pairs AS (
  SELECT d.b, d.seq AS gone, min(i.seq) AS come FROM pg_temp.raw_{{ no }} d JOIN pg_temp.raw_{{ no }} i
    ON i.b = d.b AND i.xid = d.xid AND i.op = 'I' AND i.seq > d.seq AND record_image_eq(ROW({% for k in key %}i.n{{ k.i }}{{ ", " if not loop.last }}{% endfor %}), ROW({% for k in key %}d.o{{ k.i }}{{ ", " if not loop.last }}{% endfor %}))
  WHERE d.op = 'D' AND i.left_out = d.left_out GROUP BY d.b, d.seq),
joined AS (
  UPDATE pg_temp.raw_{{ no }} i SET op = 'U'{% for c in columns %}, o{{ c.i }} = d.o{{ c.i }}{% endfor %}

  FROM pairs p JOIN pg_temp.raw_{{ no }} d ON d.b = p.b AND d.seq = p.gone
  WHERE i.b = p.b AND i.seq = p.come AND NOT EXISTS (SELECT FROM pairs q WHERE q.b = p.b AND q.come = p.come AND q.gone > p.gone) RETURNING d.b, d.seq)
DELETE FROM pg_temp.raw_{{ no }} s USING joined WHERE s.b = joined.b AND s.seq = joined.seq;
