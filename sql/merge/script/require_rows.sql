-- Refuses a script that lost or gained lines on its way. Parameters: b, units, tables [{no, rows}].
DO $rows$
DECLARE
  there text;
BEGIN
  there := concat_ws(' ', (SELECT count(*) FROM pg_temp.raw_unit WHERE b = {{ b }}){% for t in tables %}, (SELECT count(*) FROM pg_temp.raw_{{ t.no }} WHERE b = {{ b }}){% endfor %});
  IF there <> concat_ws(' ', {{ units }}{% for t in tables %}, {{ t.rows }}{% endfor %}) THEN
    RAISE EXCEPTION USING ERRCODE = 'HSC05', MESSAGE = 'this script is not as it was written: it has other numbers of units and rows than its batches', HINT = 'take the file anew, and do not change it.';
  END IF;
END
$rows$;
