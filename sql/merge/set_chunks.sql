-- Notes the chunk of each unit. No parameters.
ANALYZE pg_temp.chunk_of;
UPDATE pg_temp.unit x SET chunk = c.chunk FROM pg_temp.chunk_of c WHERE c.u = x.u;
DROP TABLE pg_temp.chunk_of;
CREATE INDEX ON pg_temp.unit (chunk);
-- Not whether it is applied: that holds of no unit now, and of a whole chunk when it is asked.
ANALYZE pg_temp.unit (u, prior, status, hard, recorded, chunk);
