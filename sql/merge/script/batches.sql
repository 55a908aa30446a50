-- The batches of this script. Parameters: batches [{event, epoch, batch, sha256, previous}].
DROP TABLE IF EXISTS pg_temp.script_batch;
CREATE TEMPORARY TABLE script_batch (event text, epoch bigint, batch bigint, sha256 text, previous text, PRIMARY KEY (event, batch));
INSERT INTO pg_temp.script_batch VALUES
{% for b in batches %}
  ({{ b.event | lit }}, {{ b.epoch }}, {{ b.batch }}, {{ b.sha256 | lit }}, {{ b.previous | lit }}){{ "," if not loop.last else ";" }}
{% endfor %}
