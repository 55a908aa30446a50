-- 已缴费(凭纸质凭证): orders that were carried out on a receipt from before the outage, and that nobody has paid on the primary.
-- Ends when the payment is found and charged there, or the order is cancelled.
SELECT f.id, f.paper_no, p.name, p.phone, f.order_id, f.window_no
  FROM pg_temp."captured desk.proof" AS c
  JOIN desk.proof AS f USING (id)
  JOIN outpatient.patient AS p ON p.id = f.patient_id
  JOIN outpatient.doctor_order AS o ON o.id = f.order_id
 WHERE f.kind = 'paid' AND o.charge_status = 0
 ORDER BY f.id;
