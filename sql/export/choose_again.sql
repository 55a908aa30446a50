-- Chooses the units of a batch that was made before. Parameters: tables [table_no], event, batch.
CREATE TEMPORARY TABLE queued ON COMMIT DROP AS
SELECT c.xid, c.first_seq, c.last_seq, c.rows, coalesce(e.event = {{ event | lit }} AND e.batch = {{ batch }}, false) AS mine
FROM (
  SELECT xid, min(seq) AS first_seq, max(seq) AS last_seq, count(*) AS rows
  FROM (
{% for no in tables %}
    SELECT xid, seq FROM his_emergency.change_{{ no }}{% if not loop.last %} UNION ALL{% endif %}

{% endfor %}
  ) q GROUP BY xid) c
LEFT JOIN his_emergency.exported e ON e.xid = c.xid;
