-- 待退费: what the windows did not pay out. Ends as paid or dropped: his-desk refunds end.
SELECT d.id, v.number, p.name, p.phone, d.amount, d.cause, d.reason
  FROM pg_temp."captured desk.refund_due" AS c
  JOIN desk.refund_due AS d USING (id)
  JOIN outpatient.charge AS o ON o.id = d.charge_id
  JOIN outpatient.patient AS p ON p.id = o.patient_id
  LEFT JOIN desk.voucher AS v ON v.charge_id = d.charge_id
 WHERE d.status = 'open'
 ORDER BY d.id;
