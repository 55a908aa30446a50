-- Chooses the units of a batch that was made before. Parameters: tables [table_no], event, batch.
CREATE TEMPORARY TABLE chosen ON COMMIT DROP AS
SELECT c.xid, max(c.last_seq) AS last_seq, sum(c.rows)::bigint AS rows
FROM (
{% for no in tables %}
  SELECT xid, max(seq) AS last_seq, count(*) AS rows FROM his_emergency.change_{{ no }} GROUP BY xid{% if not loop.last %} UNION ALL{% endif %}

{% endfor %}
) c
JOIN his_emergency.exported e ON e.xid = c.xid AND e.event = {{ event | lit }} AND e.batch = {{ batch }}
GROUP BY c.xid;
ALTER TABLE chosen ADD PRIMARY KEY (xid);
