-- Epochs that have units in no batch yet. Parameters: tables [table_no]. $1 the epoch to count a unit without a unit row to.
SELECT DISTINCT coalesce(u.epoch, $1)
FROM (
{% for no in tables %}
  SELECT DISTINCT xid FROM his_emergency.change_{{ no }}{% if not loop.last %} UNION{% endif %}

{% endfor %}
) c
LEFT JOIN his_emergency.exported e ON e.xid = c.xid
LEFT JOIN his_emergency.unit u ON u.xid = c.xid
WHERE e.xid IS NULL
ORDER BY 1;
