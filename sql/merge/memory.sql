-- Memory for sorting and joining what is staged; compiling the queries costs more than it gains. No parameters.
SET work_mem = '64MB';
SET jit = off;
-- Whatever does not fit here is written to files and read again, for each chunk.
SET temp_buffers = '256MB';
-- What is staged is much alike, and is read as often for its statistics as for anything else.
SET default_statistics_target = 20;
-- There it costs no more to read by an index than in a row, and a chunk needs few rows of any table.
SET random_page_cost = 1.1;
