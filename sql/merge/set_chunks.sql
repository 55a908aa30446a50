-- Notes the chunk of each unit. No parameters.
ANALYZE pg_temp.chunk_of;
UPDATE pg_temp.unit x SET chunk = c.chunk FROM pg_temp.chunk_of c WHERE c.u = x.u;
DROP TABLE pg_temp.chunk_of;
CREATE INDEX ON pg_temp.unit (chunk);
ANALYZE pg_temp.unit (u, prior, status, hard, recorded, chunk, applied);
