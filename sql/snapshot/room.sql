-- Gives one transaction room to count keys in: a page of 64 takes about 100 bytes. No parameters.
SET LOCAL work_mem = '64MB';
