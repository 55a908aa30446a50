-- Notes what the numbers kept in one column reach, of one table or leaf partition. Parameters: no, leaf (running number),
-- table (quoted), column, key (columns), settings (whether a key as text depends on them; a window may have others).
CREATE FUNCTION his_emergency.handed_{{ no }}_{{ leaf }}() RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
{% if settings %}
  SET DateStyle = 'ISO, YMD' SET TimeZone = 'UTC' SET IntervalStyle = 'postgres' SET extra_float_digits = 1 SET bytea_output = 'hex' SET lc_monetary = 'C'
{% endif %}
AS $handed$
BEGIN
  INSERT INTO his_emergency.handed VALUES ({{ no }}, jsonb_build_object({% for k in key %}{{ k | lit }}, NEW.{{ k | id }}::text{{ ", " if not loop.last }}{% endfor %})::text, NEW.{{ column | id }});
  RETURN NULL;
END
$handed$;
CREATE TRIGGER "!his_emergency_handed_{{ no }}" AFTER UPDATE ON {{ table }}
  FOR EACH ROW WHEN (NEW.{{ column | id }} IS NOT NULL AND NEW.{{ column | id }} IS DISTINCT FROM OLD.{{ column | id }})
  EXECUTE FUNCTION his_emergency.handed_{{ no }}_{{ leaf }}();
CREATE TRIGGER "!his_emergency_handed_{{ no }}_new" AFTER INSERT ON {{ table }}
  FOR EACH ROW WHEN (NEW.{{ column | id }} IS NOT NULL) EXECUTE FUNCTION his_emergency.handed_{{ no }}_{{ leaf }}();
ALTER TABLE {{ table }} ENABLE ALWAYS TRIGGER "!his_emergency_handed_{{ no }}";
ALTER TABLE {{ table }} ENABLE ALWAYS TRIGGER "!his_emergency_handed_{{ no }}_new";
