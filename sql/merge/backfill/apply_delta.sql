-- Brings the staging of one table forward by a delta. Parameters: no, columns [{i}], key (numbers of the key's columns), mask (of hashed keys, or none), session (what the hashed text of a key depends on, as statements).
{% if mask is none -%}
DELETE FROM pg_temp.snapshot_{{ no }} s USING pg_temp.gone_{{ no }} g WHERE s.n{{ key[0] }} = g.key;
{% else -%}
CREATE TEMPORARY TABLE settings_{{ no }} ON COMMIT DROP AS SELECT name, pg_catalog.current_setting(name) AS setting FROM pg_catalog.pg_settings
WHERE name IN ('DateStyle', 'IntervalStyle', 'extra_float_digits', 'bytea_output', 'lc_monetary', 'xmloption', 'row_security', 'TimeZone', 'search_path');
{{ session }}
DELETE FROM pg_temp.snapshot_{{ no }} WHERE pg_catalog.hashtextextended(pg_catalog.concat_ws(E'\x1f', {% for i in key %}n{{ i }}{{ ", " if not loop.last }}{% endfor %}) COLLATE "C", 0) & {{ mask }} IN (SELECT key FROM pg_temp.gone_{{ no }});
SELECT pg_catalog.set_config(name, setting, true) FROM pg_temp.settings_{{ no }};
DROP TABLE pg_temp.settings_{{ no }};
{% endif -%}
DELETE FROM pg_temp.snapshot_{{ no }} s USING pg_temp.delta_{{ no }} d WHERE {% for i in key %}s.n{{ i }} = d.n{{ i }}{{ " AND " if not loop.last }}{% endfor %};
INSERT INTO pg_temp.snapshot_{{ no }} SELECT * FROM pg_temp.delta_{{ no }};
DROP TABLE pg_temp.delta_{{ no }}, pg_temp.gone_{{ no }};
