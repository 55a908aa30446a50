-- Puts rows where their numbers go on after the remembered ones. Parameters and $1: as in number_behind.sql.
UPDATE {{ table }} t SET {{ column | id }} = r."!reached" FROM pg_catalog.jsonb_to_recordset($1::text::jsonb) AS r ({% for k in key %}{{ k | id }} {{ types[loop.index0] }}, {% endfor %}"!entry" integer, "!reached" bigint)
WHERE {% for k in key %}t.{{ k | id }} = r.{{ k | id }} AND {% endfor %}t.{{ column | id }} < r."!reached"
