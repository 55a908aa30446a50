-- Orders the staged units as they were done, with what their content was found to hash to, and leaves out what the ledger has. No parameters.
INSERT INTO pg_temp.unit (u, b, event, epoch, batch, generation, xid, name, last_seq, rows, at, "user", application, address, prior, known_hash, hash, status)
SELECT row_number() OVER (ORDER BY b.epoch, b.batch, r.last_seq, r.xid), r.b, b.event, b.epoch, b.batch, r.generation, r.xid,
  b.event || '/' || r.generation || '-' || r.xid, r.last_seq, r.rows, r.at, r."user", r.application, r.address,
  coalesce(r.prior, l.status), coalesce(r.hash, l.hash), h.hash,
  CASE WHEN r.prior = 'rejected' THEN 'rejected' WHEN r.prior IS NULL AND l.status IS NOT NULL THEN 'done' ELSE 'new' END
FROM pg_temp.raw_unit r JOIN pg_temp.batch b USING (b)
LEFT JOIN (SELECT b, xid, sum(part)::text AS hash FROM pg_temp.hash GROUP BY b, xid) h ON (h.b, h.xid) = (r.b, r.xid)
LEFT JOIN his_emergency.unit l ON (l.event, l.generation, l.xid) = (b.event, r.generation, r.xid);
CREATE INDEX ON pg_temp.unit (b, xid);
ANALYZE pg_temp.unit (u, b, xid, prior, status);
DROP TABLE pg_temp.raw_unit;
