-- A function that writes outcomes into the ledger, in the transaction that brought them about: of the applied units of a chunk (0 is none), and of
-- everything held or rejected that is not written yet. Parameters: search_path, pins, units, rest (texts), tables [{no, brought, held, merged (texts)}].
CREATE OR REPLACE FUNCTION pg_temp.record(this_chunk integer, this_run bigint, this_by text) RETURNS void LANGUAGE plpgsql AS $record$
#variable_conflict use_column
DECLARE
  any_held boolean;
  any_given integer[];
BEGIN
{{ pins }}
  PERFORM pg_catalog.set_config('search_path', {{ search_path | lit }} || ', pg_temp', true);
{{ units }}
  -- What else there is to write: whether units are held or rejected that are not written yet (or a policy has decided), and the tables with given
  -- numbers and the like.
  any_held := EXISTS (SELECT FROM pg_temp.unit WHERE status IN ('held', 'rejected') AND NOT recorded)
    OR EXISTS (SELECT FROM pg_temp.conflict c JOIN pg_temp.outcome USING (u) WHERE c.by_policy);
  any_given := ARRAY(SELECT table_no FROM pg_temp.already JOIN pg_temp.outcome USING (u) UNION SELECT table_no FROM pg_temp.given JOIN pg_temp.outcome USING (u)
    UNION SELECT table_no FROM pg_temp.displaced JOIN pg_temp.outcome USING (u));
{% for t in tables %}
{{ t.brought }}
  IF any_held THEN
{{ t.held }}
  END IF;
  IF {{ t.no }} = ANY (any_given) THEN
{{ t.merged }}
  END IF;
{% endfor %}
  PERFORM pg_temp.note_values(this_chunk);
{{ rest }}
END
$record$;
