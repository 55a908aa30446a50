-- Chooses every committed unit of an epoch that this transaction's snapshot sees and that is in no batch.
-- Parameters: tables [table_no], epoch, current (epoch of a unit without a unit row).
CREATE TEMPORARY TABLE chosen ON COMMIT DROP AS
SELECT c.xid, max(c.last_seq) AS last_seq, sum(c.rows)::bigint AS rows
FROM (
{% for no in tables %}
  SELECT xid, max(seq) AS last_seq, count(*) AS rows FROM his_emergency.change_{{ no }} GROUP BY xid{% if not loop.last %} UNION ALL{% endif %}

{% endfor %}
) c
LEFT JOIN his_emergency.exported e ON e.xid = c.xid
LEFT JOIN his_emergency.unit u ON u.xid = c.xid
WHERE e.xid IS NULL AND coalesce(u.epoch, {{ current }}) = {{ epoch }}
GROUP BY c.xid;
ALTER TABLE chosen ADD PRIMARY KEY (xid);
ANALYZE chosen;
