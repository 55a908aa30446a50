-- 价格差异: what the event charged at another price than the one in force on the primary that day. Refunds repeat the price of
-- their charge and are left out. Reported, never corrected: an amount is frozen when it is charged.
--
-- One query, read-only, on the primary; "captured schema.table" are the rows as the event brought them (his.toml(5), [[report]]).
SELECT c.receipt_no, l.charge_id, l.line_no, l.item_id, l.item_name, l.price AS charged, p.price AS in_force,
       round((l.price - p.price) * l.quantity, 2) AS difference
  FROM "captured outpatient.charge_line" AS l
  JOIN outpatient.charge AS c ON c.id = l.charge_id
  LEFT JOIN base.charge_price AS p
    ON p.item_id = l.item_id AND p.valid_from <= c.charged_at::date AND c.charged_at::date < p.valid_to
 WHERE c.refund_of IS NULL AND l.price IS DISTINCT FROM p.price
 ORDER BY l.charge_id, l.line_no;
