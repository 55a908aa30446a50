-- Takes the pins of the staging away: what is applied runs under the database's own settings. No parameters.
SET LOCAL DateStyle TO DEFAULT;
SET LOCAL IntervalStyle TO DEFAULT;
SET LOCAL extra_float_digits TO DEFAULT;
SET LOCAL bytea_output TO DEFAULT;
SET LOCAL lc_monetary TO DEFAULT;
SET LOCAL xmloption TO DEFAULT;
SET LOCAL row_security TO DEFAULT;
