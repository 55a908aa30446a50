-- One paper registration (应急挂号单), as a window of the reference HIS would have written it. Run by his-import-paper in the
-- transaction of the slip; what a statement returns is known to those after it.

-- must doctor: 该医生当天该班次没有排班 | this doctor has no schedule in that session
UPDATE outpatient.schedule SET slots_left = slots_left - 1, current_no = current_no + 1
 WHERE work_date = (:written_at)::timestamp::date AND session = :session
   AND doctor_id = (SELECT id FROM base.staff WHERE staff_no = :doctor)
RETURNING id AS schedule_id, work_date, current_no AS visit_seq, department_id, doctor_id, level_id;

-- A known patient, by medical record number or document; a new one gets a record of their own.
SELECT id AS known_id FROM outpatient.patient
 WHERE medical_record_no = :record_no OR (id_type = '01' AND id_no = :id_no) ORDER BY medical_record_no = :record_no DESC LIMIT 1;
INSERT INTO outpatient.patient (name, name_phonetic, sex, birth_date, id_type, id_no, phone, settlement_category_id)
SELECT :patient_name, '', :sex, :birth_date, CASE WHEN (:id_no)::text IS NOT NULL THEN '01' END, :id_no, :phone,
       (SELECT id FROM base.settlement_category WHERE code = :category)
 WHERE (:known_id)::bigint IS NULL
RETURNING id AS new_id;

-- What the level costs, against what was taken: less is a discount, more is an error of the slip.
-- must fee: 金额高于该号别的费用 | more than this level costs
SELECT l.registration_fee, l.consultation_fee, l.registration_fee + l.consultation_fee AS total,
       l.registration_fee + l.consultation_fee - (:fee)::numeric AS discount,
       coalesce((:known_id)::bigint, (:new_id)::bigint) AS patient_id, c.id AS category_id, s.id AS cashier_id
  FROM base.registration_level l, base.settlement_category c, base.staff s
 WHERE l.id = :level_id AND c.code = :category AND s.staff_no = :cashier
   AND (:fee)::numeric BETWEEN 0 AND l.registration_fee + l.consultation_fee;

INSERT INTO outpatient.registration (visit_date, visit_seq, schedule_id, department_id, doctor_id, level_id, patient_id,
                                     patient_name, patient_sex, patient_age, settlement_category_id, registration_fee,
                                     consultation_fee, operator_id, window_no, registered_at, emergency_event)
SELECT :work_date, :visit_seq, :schedule_id, :department_id, :doctor_id, :level_id, p.id, p.name, p.sex,
       outpatient.age_text(p.birth_date, :work_date), :category_id, :registration_fee, :consultation_fee, :cashier_id,
       :window, (:written_at)::timestamp AT TIME ZONE 'Asia/Shanghai', :event
  FROM outpatient.patient p WHERE p.id = :patient_id
RETURNING id AS registration_id;

INSERT INTO outpatient.charge (receipt_no, kind, registration_id, patient_id, settlement_category_id, total, discount, paid,
                               cashier_id, window_no, charged_at, emergency_event)
VALUES (outpatient.next_receipt_no(), 'registration', :registration_id, :patient_id, :category_id, :total, :discount, :fee,
        :cashier_id, :window, (:written_at)::timestamp AT TIME ZONE 'Asia/Shanghai', :event)
RETURNING id AS charge_id;
INSERT INTO outpatient.charge_line (charge_id, line_no, item_id, item_name, spec, unit, price, quantity, receipt_class,
                                    reimbursement_class, ordering_dept_id, executing_dept_id)
SELECT :charge_id, row_number() OVER (ORDER BY f.n), i.id, i.name, i.spec, i.unit, f.price, 1, i.receipt_class,
       i.reimbursement_class, :department_id, coalesce(i.department_id, :department_id)
  FROM base.registration_level l
 CROSS JOIN LATERAL (VALUES (1, l.registration_item_id, l.registration_fee),
                            (2, l.consultation_item_id, l.consultation_fee)) AS f (n, item, price)
  JOIN base.charge_item i ON i.id = f.item
 WHERE l.id = :level_id AND (f.price > 0 OR f.n = 2);
INSERT INTO outpatient.payment (charge_id, seq, pay_method, amount, paid_at)
VALUES (:charge_id, 1, :pay_method, :fee, (:written_at)::timestamp AT TIME ZONE 'Asia/Shanghai');
