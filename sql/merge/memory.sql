-- Memory for sorting and joining what is staged. No parameters.
SET work_mem = '64MB';
