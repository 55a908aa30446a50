-- Receipts left on the roll of each cashier, for his-watch. A name and a number.
SELECT s.staff_no || ' (' || g.prefix || ')', g.end_no - g.current_no
FROM base.staff AS s JOIN outpatient.receipt_segment AS g ON g.cashier_id = s.id
WHERE g.status = 0 ORDER BY 2, 1
