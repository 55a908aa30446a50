-- One paper charge (应急收费凭证) with its lines: the order that the doctor wrote by hand, and what was paid for it.

-- must visit: 查无此挂号，请先补录挂号单 | no such registration; key its slip first
SELECT r.id AS registration_id, r.patient_id, r.settlement_category_id AS category_id
  FROM outpatient.registration r JOIN outpatient.patient p ON p.id = r.patient_id
 WHERE r.status <> 2
   AND (r.id = (SELECT v.value::bigint FROM his_emergency.slip_value v
                 WHERE v.name = 'registration_id' AND replace(v.slip_no, '-', '') = upper(replace(:visit, '-', '')))
        OR p.medical_record_no = :visit AND r.visit_date = (:written_at)::timestamp::date)
 ORDER BY r.id DESC LIMIT 1;

-- must doctor: 查无此医生 | no such doctor
INSERT INTO outpatient.doctor_order (registration_id, patient_id, kind, doctor_id, department_id, diagnosis, ordered_at)
SELECT :registration_id, :patient_id, 'treatment', s.id, s.department_id, '应急手工单', (:written_at)::timestamp
  FROM base.staff s WHERE s.staff_no = :doctor
RETURNING id AS order_id, department_id;
-- must item: 查无此项目 | no such item
INSERT INTO outpatient.order_line (order_id, line_no, item_id, quantity)
SELECT :order_id, :line_no, i.id, :quantity FROM base.charge_item i WHERE i.code = :item;
-- As a window does it: a trigger takes the drugs from stock.
UPDATE outpatient.order_line SET charge_status = 1 WHERE order_id = :order_id;
UPDATE outpatient.doctor_order SET charge_status = 1 WHERE id = :order_id;

INSERT INTO outpatient.charge (receipt_no, kind, registration_id, patient_id, order_id, settlement_category_id, total, paid,
                               cashier_id, window_no, charged_at, emergency_event)
SELECT outpatient.next_receipt_no(), 'order', :registration_id, :patient_id, :order_id, :category_id, :total, :total, s.id,
       :window, (:written_at)::timestamp AT TIME ZONE 'Asia/Shanghai', :event
  FROM base.staff s WHERE s.staff_no = :cashier
RETURNING id AS charge_id;
INSERT INTO outpatient.charge_line (charge_id, line_no, item_id, item_name, spec, unit, price, quantity, receipt_class,
                                    reimbursement_class, order_id, order_line_no, ordering_dept_id, executing_dept_id)
SELECT :charge_id, :line_no, i.id, i.name, i.spec, i.unit, :price, :quantity, i.receipt_class, i.reimbursement_class,
       :order_id, :line_no, :department_id, coalesce(i.department_id, :department_id)
  FROM base.charge_item i WHERE i.code = :item;
INSERT INTO outpatient.payment (charge_id, seq, pay_method, amount, paid_at)
VALUES (:charge_id, 1, :pay_method, :total, (:written_at)::timestamp AT TIME ZONE 'Asia/Shanghai');
