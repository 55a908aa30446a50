-- Chooses every committed unit of an epoch that this transaction's snapshot sees and that is in no batch.
-- Parameters: tables [table_no], epoch, current (epoch of a unit without a unit row).
CREATE TEMPORARY TABLE queued ON COMMIT DROP AS
SELECT c.xid, c.first_seq, c.last_seq, c.rows, e.xid IS NULL AND coalesce(u.epoch, {{ current }}) = {{ epoch }} AS mine
FROM (
  SELECT xid, min(seq) AS first_seq, max(seq) AS last_seq, count(*) AS rows
  FROM (
{% for no in tables %}
    SELECT xid, seq FROM his_emergency.change_{{ no }}{% if not loop.last %} UNION ALL{% endif %}

{% endfor %}
  ) q GROUP BY xid) c
LEFT JOIN his_emergency.exported e ON e.xid = c.xid
LEFT JOIN his_emergency.unit u ON u.xid = c.xid;
