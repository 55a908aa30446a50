-- Units of this generation's queue that can be merged: exported to an event that is no drill, or not exported. Parameters: tables [table_no].
SELECT u.xid FROM (
{% for no in tables %}
  SELECT xid FROM his_emergency.change_{{ no }}{% if not loop.last %} UNION{% endif %}

{% endfor %}
) u
LEFT JOIN his_emergency.exported e ON e.xid = u.xid
WHERE e.event IS NULL OR e.event !~ '-D[0-9]+$'
ORDER BY u.xid
