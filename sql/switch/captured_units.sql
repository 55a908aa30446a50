-- Units that this generation captured under an epoch. Parameters: tables [table_no], epoch.
SELECT pg_catalog.count(DISTINCT c.xid)
FROM (
{% for no in tables %}
  SELECT xid FROM his_emergency.change_{{ no }}{% if not loop.last %} UNION ALL{% endif %}

{% endfor %}
) c
LEFT JOIN his_emergency.unit u ON u.xid = c.xid
WHERE coalesce(u.epoch, {{ epoch }}) = {{ epoch }};
