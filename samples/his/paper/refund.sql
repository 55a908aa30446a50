-- One paper refund (应急退费单): the charge is offset whole, by a negative one that is linked to it.

-- must amount: 与原收据金额不符，或已退费 | not what was paid on that receipt, or refunded already
UPDATE outpatient.charge SET status = 1 WHERE receipt_no = :receipt_no AND status = 0 AND paid = :amount
RETURNING id AS original_id, kind, registration_id, patient_id, order_id;
-- must approved_by: 审批人不能是收费员本人 | the cashier cannot approve it
SELECT id AS cashier_id FROM base.staff WHERE staff_no = :cashier AND :cashier <> :approved_by;

-- must receipt_no: 已执行或已就诊，不能退费 | carried out, or the patient was seen: no refund
SELECT 1 AS refundable FROM outpatient.registration r LEFT JOIN outpatient.doctor_order o ON o.id = :order_id
 WHERE r.id = :registration_id AND CASE :kind WHEN 'order' THEN o.exec_status = 0 ELSE r.status = 0 END;
UPDATE outpatient.order_line SET charge_status = 2 WHERE order_id = :order_id;
UPDATE outpatient.doctor_order SET charge_status = 2 WHERE id = :order_id;
WITH returned AS (
  UPDATE outpatient.registration SET status = 2 WHERE id = :registration_id AND :kind = 'registration' RETURNING schedule_id)
UPDATE outpatient.schedule SET slots_left = slots_left + 1 WHERE id IN (SELECT schedule_id FROM returned);

INSERT INTO outpatient.charge (receipt_no, kind, registration_id, patient_id, order_id, settlement_category_id, total, discount,
                               rounding, paid, insurance_paid, status, refund_of, refund_reason, cashier_id, window_no,
                               charged_at, emergency_event)
SELECT outpatient.next_receipt_no(), kind, registration_id, patient_id, order_id, settlement_category_id, -total, -discount,
       -rounding, -paid, -insurance_paid, 2, id, :reason, :cashier_id, :window,
       (:written_at)::timestamp AT TIME ZONE 'Asia/Shanghai', :event
  FROM outpatient.charge WHERE id = :original_id
RETURNING id AS charge_id;
INSERT INTO outpatient.charge_line (charge_id, line_no, item_id, item_name, spec, unit, price, quantity, receipt_class,
                                    reimbursement_class, order_id, order_line_no, ordering_dept_id, executing_dept_id)
SELECT :charge_id, line_no, item_id, item_name, spec, unit, price, -quantity, receipt_class, reimbursement_class, order_id,
       order_line_no, ordering_dept_id, executing_dept_id
  FROM outpatient.charge_line WHERE charge_id = :original_id ORDER BY line_no;
INSERT INTO outpatient.payment (charge_id, seq, pay_method, amount, card_no, trade_no)
SELECT :charge_id, seq, 'CASH', -amount, NULL, NULL FROM outpatient.payment WHERE charge_id = :original_id ORDER BY seq;
