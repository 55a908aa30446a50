-- Counts one table's captured rows as the batches of the event have them. Parameters: no, name, event.
INSERT INTO pg_temp.counted (table_name, status, rows)
SELECT {{ name | lit }}, coalesce(u.prior, ''), count(*) FROM pg_temp.raw_{{ no }} s JOIN pg_temp.unit u USING (b, xid) WHERE u.event = {{ event | lit }} GROUP BY 2;
