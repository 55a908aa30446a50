-- Captures every row change of one table or leaf partition. Parameters: no, leaf (running number), table (quoted),
-- columns [{name, base_type}] in the order of the root, omitted [{name, default}], mark (refire | replay | none).
CREATE FUNCTION his_emergency.capture_{{ no }}_{{ leaf }}() RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $capture$
DECLARE
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
  INSERT INTO his_emergency.change_{{ no }} VALUES (
    nextval('his_emergency.change_seq'), this_xid, "left"(TG_OP, 1)::"char", pg_trigger_depth(),
    {% if mark != "none" %}again{% else %}false{% endif %}, clock_timestamp()
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
