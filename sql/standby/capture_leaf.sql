-- Captures every row change of one table or leaf partition. Parameters: no, leaf (running number), table (quoted),
-- columns [{name, base_type}] in the order of the root, omitted [{name, default}], mark (refire | replay | none), key [],
-- root (quoted), knows, settings (whether a value as text depends on them), same_as [], once [], guards [{column, from [], to_table (quoted), to [], watched []}].
CREATE FUNCTION his_emergency.capture_{{ no }}_{{ leaf }}() RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
{% if settings %}
  SET DateStyle = 'ISO, YMD' SET TimeZone = 'UTC' SET IntervalStyle = 'postgres' SET extra_float_digits = 1 SET bytea_output = 'hex' SET lc_monetary = 'C'
{% endif %}
AS $capture$
DECLARE
  knows text;
  this_xid bigint := pg_current_xact_id()::text::bigint;
{% if mark != "none" %}
  depth integer := pg_trigger_depth();
  again boolean := depth > 1 AND coalesce(current_setting('his_emergency.left_' || depth, true) = 'on', false);
{% endif %}
BEGIN
{% for c in omitted %}
  IF TG_OP <> 'DELETE' AND NEW.{{ c.name | id }} IS DISTINCT FROM (CASE WHEN TG_OP = 'UPDATE' THEN OLD.{{ c.name | id }} ELSE {{ c.default }} END) THEN
    RAISE EXCEPTION 'column % of %.% is not downloaded (omit); writing it is refused', {{ c.name | lit }}, TG_TABLE_SCHEMA, TG_TABLE_NAME
      USING ERRCODE = 'HS001', HINT = 'Take the column out of omit in his.toml before the next snapshot.';
  END IF;
{% endfor %}
  -- The setting only spares the insert; a rolled back savepoint rolls both back, and a forged setting loses no change,
  -- because units are counted from the changes.
  IF current_setting('his_emergency.unit', true) IS DISTINCT FROM this_xid::text THEN
    INSERT INTO his_emergency.unit (xid, epoch, at, db_user, application, address, pid)
    VALUES (this_xid, (SELECT last_value FROM his_emergency.epoch), clock_timestamp(), session_user, current_setting('application_name'), inet_client_addr(), pg_backend_pid())
    ON CONFLICT (xid) DO NOTHING;
    PERFORM set_config('his_emergency.unit', this_xid::text, true);
  END IF;
{% if knows %}
  -- What only the standby can tell: which rows like this one, and what of the rows it hangs on, it knew at this moment.
  IF TG_OP <> 'DELETE' THEN
    knows := nullif(json_strip_nulls(json_build_object(
{% if same_as %}
      'same_as', CASE WHEN TG_OP = 'INSERT' THEN coalesce((
        SELECT json_agg(json_build_object({% for k in key %}{{ k | lit }}, t.{{ k | id }}::text{{ ", " if not loop.last }}{% endfor %}))
        FROM {{ root }} t WHERE {% for c in same_as %}t.{{ c | id }} = NEW.{{ c | id }}{{ " AND " if not loop.last }}{% endfor %}), '[]') END{{ "," if once or guards }}
{% endif %}
{% if once %}
      'once', json_build_object(
{% for c in once %}
        {{ c | lit }}, CASE WHEN TG_OP = 'INSERT' OR NEW.{{ c | id }} IS DISTINCT FROM OLD.{{ c | id }} THEN coalesce((
          SELECT json_agg(json_build_object({% for k in key %}{{ k | lit }}, t.{{ k | id }}::text{{ ", " if not loop.last }}{% endfor %}))
          FROM {{ root }} t WHERE t.{{ c | id }} = NEW.{{ c | id }}), '[]') END{{ "," if not loop.last }}
{% endfor %}
      ){{ "," if guards }}
{% endif %}
{% if guards %}
      'guard', json_build_object(
{% for g in guards %}
        {{ g.column | lit }}, CASE WHEN TG_OP = 'INSERT'{% for c in g.from %} OR NEW.{{ c | id }} IS DISTINCT FROM OLD.{{ c | id }}{% endfor %} THEN (
          SELECT json_build_array({% for w in g.watched %}'=' || p.{{ w | id }}::text{{ ", " if not loop.last }}{% endfor %})
          FROM {{ g.to_table }} p WHERE {% for c in g.from %}p.{{ g.to[loop.index0] | id }} = NEW.{{ c | id }}{{ " AND " if not loop.last }}{% endfor %}) END{{ "," if not loop.last }}
{% endfor %}
      )
{% endif %}
    ))::text, '{}');
  END IF;
{% endif %}
  INSERT INTO his_emergency.change_{{ no }} VALUES (
    nextval('his_emergency.change_seq'), this_xid, "left"(TG_OP, 1)::"char", pg_trigger_depth(),
    {% if mark != "none" %}again{% else %}false{% endif %}, clock_timestamp(), knows
{% for c in columns %}
    , OLD.{{ c.name | id }}
{% endfor %}
{% for c in columns %}
    , NEW.{{ c.name | id }}
{% endfor %}
  );
{% if mark != "none" %}
  PERFORM set_config('his_emergency.left_' || depth + 1, CASE WHEN again OR {{ mark | lit }} = 'refire' THEN 'on' ELSE 'off' END, true);
{% endif %}
  RETURN NULL;
END
$capture$;
CREATE TRIGGER "!his_emergency_capture" AFTER INSERT OR UPDATE OR DELETE ON {{ table }}
  FOR EACH ROW EXECUTE FUNCTION his_emergency.capture_{{ no }}_{{ leaf }}();
ALTER TABLE {{ table }} ENABLE ALWAYS TRIGGER "!his_emergency_capture";
{% if mark != "none" %}
CREATE TRIGGER "!his_emergency_mark_row" BEFORE INSERT OR UPDATE OR DELETE ON {{ table }}
  FOR EACH ROW EXECUTE FUNCTION his_emergency.mark({{ mark | lit }});
ALTER TABLE {{ table }} ENABLE ALWAYS TRIGGER "!his_emergency_mark_row";
{% endif %}
