-- Where a sequence stands. Parameters: sequence (quoted).
SELECT s.last_value, s.is_called, q.seqincrement FROM {{ sequence }} s, pg_catalog.pg_sequence q WHERE q.seqrelid = {{ sequence | lit }}::pg_catalog.regclass
