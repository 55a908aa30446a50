-- Memory for grouping and sorting the queue; compiling the queries costs more than it gains. No parameters.
SET LOCAL work_mem = '64MB';
SET LOCAL jit = off;
