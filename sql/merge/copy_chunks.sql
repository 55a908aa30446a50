-- Brings the chunk of each unit. No parameters.
COPY pg_temp.chunk_of (u, chunk) FROM STDIN
