-- Sum of new minus old of one money column over the chosen units, or (chosen = false) over all units of an epoch.
-- Parameters: no, difference (SQL expression over c), chosen, epoch, current.
SELECT coalesce(sum({{ difference }}), 0)::text
FROM his_emergency.change_{{ no }} c
{% if chosen %}
JOIN pg_temp.chosen ON chosen.xid = c.xid
{% else %}
LEFT JOIN his_emergency.unit u ON u.xid = c.xid
WHERE coalesce(u.epoch, {{ current }}) = {{ epoch }}
{% endif %}
