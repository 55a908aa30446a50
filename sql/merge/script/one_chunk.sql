-- Everything is one chunk: one transaction. No parameters.
INSERT INTO pg_temp.chunk_of SELECT u, 1 FROM pg_temp.unit;
