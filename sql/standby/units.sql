-- Units in the queue of this generation: all, and those not yet in a batch. Parameters: tables [table_no].
SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE e.xid IS NULL)
FROM (
{% for no in tables %}
  SELECT xid FROM his_emergency.change_{{ no }}{% if not loop.last %} UNION{% endif %}

{% endfor %}
) u
LEFT JOIN his_emergency.exported e ON e.xid = u.xid;
