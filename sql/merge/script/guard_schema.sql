-- Refuses a primary whose tables are not those that this script was written for. Parameters: tables [{table, kind (merged | parent), fires (true, false,
-- or none when it does not matter), outline (JSON)}], catalog (text of sql/catalog/tables.sql).
CREATE TEMPORARY TABLE script_table (name text NOT NULL, kind text NOT NULL, fires boolean, t jsonb NOT NULL) ON COMMIT DROP;
{% for t in tables %}
INSERT INTO pg_temp.script_table VALUES ({{ t.table | lit }}, {{ t.kind | lit }}, {{ "NULL" if t.fires is none else t.fires }}, {{ t.outline | lit }});
{% endfor %}
CREATE TEMPORARY TABLE script_live ON COMMIT DROP AS SELECT described::jsonb AS t FROM (
{{ catalog }}
) q (described);
DO $guard$
DECLARE
  e record;
  there jsonb;
  wrong text;
BEGIN
  FOR e IN SELECT * FROM pg_temp.script_table ORDER BY name LOOP
    there := (SELECT l.t FROM pg_temp.script_live l WHERE (l.t -> 'schema', l.t -> 'name') = (e.t -> 'schema', e.t -> 'name'));
    wrong := CASE
      WHEN there IS NULL THEN 'is not there'
      WHEN e.kind = 'parent' AND EXISTS (
        SELECT c ->> 'name', c ->> 'base_type' FROM jsonb_array_elements(e.t -> 'columns') c
        EXCEPT SELECT c ->> 'name', c ->> 'base_type' FROM jsonb_array_elements(there -> 'columns') c) THEN 'has other columns'
      WHEN e.kind = 'merged' AND (there -> 'partitioned' <> e.t -> 'partitioned'
        OR (SELECT jsonb_agg(jsonb_build_array(c -> 'name', c -> 'base_type', c -> 'generated') ORDER BY c ->> 'name') FROM jsonb_array_elements(there -> 'columns') c)
          <> (SELECT jsonb_agg(jsonb_build_array(c -> 'name', c -> 'base_type', c -> 'generated') ORDER BY c ->> 'name') FROM jsonb_array_elements(e.t -> 'columns') c)) THEN 'has other columns'
      WHEN e.kind = 'merged' AND (SELECT jsonb_agg(u ORDER BY u ->> 'name') FROM jsonb_array_elements(there -> 'uniques') u)
        IS DISTINCT FROM (SELECT jsonb_agg(u ORDER BY u ->> 'name') FROM jsonb_array_elements(e.t -> 'uniques') u) THEN 'has other keys or unique rules'
      WHEN e.kind = 'merged' AND (SELECT jsonb_agg(f - 'validated' ORDER BY f ->> 'name') FROM jsonb_array_elements(there -> 'foreign_keys') f)
        IS DISTINCT FROM (SELECT jsonb_agg(f - 'validated' ORDER BY f ->> 'name') FROM jsonb_array_elements(e.t -> 'foreign_keys') f) THEN 'has other foreign keys'
      WHEN e.kind = 'merged' AND (
        SELECT jsonb_agg(jsonb_build_array(l.t -> 'schema', l.t -> 'name', f - 'validated') ORDER BY (l.t ->> 'schema') COLLATE "C", (l.t ->> 'name') COLLATE "C", (f ->> 'name') COLLATE "C")
        FROM pg_temp.script_live l CROSS JOIN jsonb_array_elements(l.t -> 'foreign_keys') f WHERE (f -> 'to_schema', f -> 'to_name') = (e.t -> 'schema', e.t -> 'name'))
        IS DISTINCT FROM nullif(e.t -> 'referenced_by', 'null') THEN 'is referenced by other foreign keys'
      WHEN e.fires <> (
        WITH RECURSIVE part(t) AS (
          SELECT there
          UNION ALL
          SELECT l.t FROM part JOIN pg_temp.script_live l ON (l.t -> 'parent' -> 'schema', l.t -> 'parent' -> 'name') = (part.t -> 'schema', part.t -> 'name'))
        SELECT EXISTS (SELECT FROM part CROSS JOIN jsonb_array_elements(part.t -> 'triggers') g WHERE (g ->> 'enabled')::boolean)) THEN 'has triggers where it had none, or none where it had some'
    END;
    IF wrong IS NOT NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'HSC04', MESSAGE = format('the schema changed since the snapshot: table %s %s', e.name, wrong),
        HINT = 'undo that change, or take a new snapshot and write the script again with --snapshot.';
    END IF;
  END LOOP;
END
$guard$;
