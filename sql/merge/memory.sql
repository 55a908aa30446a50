-- Memory for sorting and joining what is staged; compiling the queries costs more than it gains. No parameters.
SET work_mem = '64MB';
SET jit = off;
