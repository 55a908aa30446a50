-- 医保补结算清单: insured patients who paid themselves or left their card. Ends as settled or waived: his-desk insurance end.
SELECT i.charge_id, v.number, p.name, p.phone, i.insurance_no, i.mode, i.amount
  FROM pg_temp."captured desk.insurance_later" AS c
  JOIN desk.insurance_later AS i USING (charge_id)
  JOIN outpatient.patient AS p ON p.id = i.patient_id
  LEFT JOIN desk.voucher AS v ON v.charge_id = i.charge_id
 WHERE i.status = 'open'
 ORDER BY i.charge_id;
