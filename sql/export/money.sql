-- Sums of new minus old of the money columns of one table over the chosen units, or (chosen = false) over all units of an epoch.
-- Parameters: no, differences [SQL expression over c], chosen, first (the first queue number), alone (from there on there are no others); epoch, current.
SELECT {% for difference in differences %}coalesce(sum({{ difference }}), 0)::text{{ ", " if not loop.last }}{% endfor %}

FROM his_emergency.change_{{ no }} c
{% if chosen %}
{% if not alone %}
JOIN pg_temp.chosen ON chosen.xid = c.xid
{% endif %}
WHERE c.seq >= {{ first }}
{% else %}
LEFT JOIN his_emergency.unit u ON u.xid = c.xid
WHERE coalesce(u.epoch, {{ current }}) = {{ epoch }}
{% endif %}
