-- The contract of his-desk for a HIS that nobody here wrote: ids inside text, no schedule row that counts queue numbers, one way
-- of paying for each invoice, a bill that lists its documents, refunds as a negative invoice. common.sql is loaded before it.
--
-- Doctors' requests are of two kinds with numbers of their own: a prescription keeps its number, an examination, test or
-- treatment has 1000000000000 added. Items are D and the drug's id, or N and the other item's id: its codes repeat.

CREATE FUNCTION desk.today() RETURNS date
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT current_date $$;

-- 应急收费凭证: one for each invoice of the desk, with what this HIS has no column for.
CREATE TABLE desk.voucher (
    invoice_id       bigint PRIMARY KEY REFERENCES public.bms_invoice_record,
    number           text NOT NULL UNIQUE,
    registration_id  bigint NOT NULL REFERENCES public.dms_registration,
    kind             text NOT NULL CHECK (kind IN ('registration', 'order')),
    shift_id         bigint NOT NULL REFERENCES desk.shift,
    event            text,
    window_no        text NOT NULL,
    reference        text,
    tendered         numeric(12,2),
    reason           text,
    printed_at       timestamptz,
    reprints         integer NOT NULL DEFAULT 0
);
CREATE TABLE desk.voucher_line (
    invoice_id       bigint NOT NULL REFERENCES desk.voucher,
    line_no          integer NOT NULL,
    name             text NOT NULL,
    price            numeric(12,2) NOT NULL,
    quantity         bigint NOT NULL,
    medicine_item    bigint REFERENCES public.dms_medicine_item_record,
    other_item       bigint REFERENCES public.dms_non_drug_item_record,
    PRIMARY KEY (invoice_id, line_no)
);
CREATE TABLE desk.refund_due (
    id          bigserial PRIMARY KEY,
    invoice_id  bigint NOT NULL REFERENCES public.bms_invoice_record,
    amount      numeric(12,2) NOT NULL,
    cause       text NOT NULL CHECK (cause IN ('not_cash', 'executed')),
    reason      text NOT NULL,
    status      text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'paid', 'dropped'))
);
CREATE UNIQUE INDEX refund_due_open_key ON desk.refund_due (invoice_id) WHERE status = 'open';
-- 就诊序号: this HIS prints none; in an emergency patients are called by voice.
CREATE TABLE desk.queue_no (
    registration_id  bigint PRIMARY KEY REFERENCES public.dms_registration,
    skd_id           bigint NOT NULL REFERENCES public.sms_skd,
    queue_no         integer NOT NULL,
    UNIQUE (skd_id, queue_no)
);
-- The desk's invoice numbers come from a block of their own. At the merge each gets the official one that its application would
-- have given: the highest and one, less the block.
CREATE SEQUENCE desk.invoice_no_seq;
CREATE TABLE desk.invoice_counter (last_no bigint NOT NULL);
INSERT INTO desk.invoice_counter VALUES (0);
CREATE FUNCTION desk.official_no() RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, public, pg_temp
AS $$
  UPDATE desk.invoice_counter
     SET last_no = greatest(last_no, (SELECT coalesce(max(invoice_no), 0) FROM bms_invoice_record WHERE invoice_no < 900000000000)) + 1 RETURNING last_no
$$;

-- This HIS keeps bcrypt, which pgcrypto knows; administrators approve.
CREATE FUNCTION desk.check_secret(staff text, secret text) RETURNS desk.member
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  found desk.member;
BEGIN
  SELECT s.id, s.role_id IN (1, 7) INTO found FROM sms_staff AS s
   WHERE s.username = staff AND s.status = 1 AND s.password = crypt(secret, s.password);
  IF found.staff_id IS NULL THEN
    PERFORM desk.refuse('工号或口令不对', 'wrong staff number or secret');
  END IF;
  RETURN found;
END $$;

CREATE FUNCTION desk.forms_left(staff integer) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT NULL::jsonb $$;

CREATE FUNCTION desk.login(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  known desk.member := desk.check_secret(desk.want(ask, 'staff_no'), desk.want(ask, 'secret'));
BEGIN
  RETURN desk.begin_session(known.staff_id, desk.want(ask, 'window')) || jsonb_build_object(
    'staff_no', ask->'staff_no', 'name', (SELECT name FROM sms_staff WHERE id = known.staff_id), 'may_approve', known.may_approve,
    'methods', (SELECT jsonb_agg(jsonb_build_object('code', upper(code), 'name', name, 'needs_network', code <> 'cash') ORDER BY id)
                  FROM bms_settlement_cat WHERE status = 1 AND code <> 'insurance'));
END $$;

-- 患者
CREATE FUNCTION desk.find_patient(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  look text := btrim(desk.want(ask, 'text'));
  found jsonb;
BEGIN
  SELECT coalesce(jsonb_agg(to_jsonb(f) ORDER BY f.patient), '[]') INTO found FROM (
    SELECT id AS patient, name, medical_record_no AS record_no, identification_no AS id_no, phone_no AS phone,
           CASE gender WHEN 1 THEN '1' ELSE '2' END AS sex, date_of_birth::date AS birth_date
      FROM pms_patient
     WHERE phone_no = look OR identification_no = upper(look) OR medical_record_no = look OR name LIKE look || '%'
     ORDER BY id LIMIT 50) AS f;
  INSERT INTO desk.access (staff_id, window_no, event, looked_by, found)
  SELECT who.staff_id, who.window_no, desk.event(), 'any', coalesce(array_agg((p->>'patient')::bigint), '{}') FROM jsonb_array_elements(found) AS p;
  RETURN jsonb_build_object('patients', found, 'by', 'any');
END $$;

CREATE FUNCTION desk.new_patient(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'new_patient');
  person bigint;
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  IF EXISTS (SELECT FROM pms_patient WHERE identification_no = nullif(upper(ask->>'id_no'), '')) THEN
    PERFORM desk.refuse('该证件号已建档', 'this id number is known already');
  END IF;
  INSERT INTO pms_patient (name, gender, phone_no, identification_no, date_of_birth)
  VALUES (desk.want(ask, 'name'), CASE desk.want(ask, 'sex') WHEN '1' THEN 1 ELSE 0 END, nullif(ask->>'phone', ''),
          nullif(upper(ask->>'id_no'), ''), nullif(ask->>'birth_date', '')::date) RETURNING id INTO person;
  -- As its application numbers records: the minute and the patient.
  UPDATE pms_patient SET medical_record_no = to_char(now(), 'YYYYMMDDHH24MI') || lpad((person % 10000)::text, 4, '0') WHERE id = person;
  RETURN desk.answer(ask, 'new_patient', who, jsonb_build_object('patient', person));
END $$;

-- How an ask is paid: one way, with a number where there is no network for it. Gives the id of the settlement category.
CREATE FUNCTION desk.pay_by(ask jsonb, due numeric) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  pay jsonb := coalesce(ask->'payments'->0, '{"method": "CASH"}');
  category bms_settlement_cat;
BEGIN
  SELECT * INTO category FROM bms_settlement_cat WHERE upper(code) = upper(desk.want(pay, 'method')) AND status = 1;
  IF category.id IS NULL OR category.code = 'insurance' THEN
    PERFORM desk.refuse('没有这种支付方式', 'no such pay method');
  ELSIF jsonb_array_length(coalesce(ask->'payments', '[]')) > 1 OR nullif(pay->>'amount', '')::numeric <> due THEN
    PERFORM desk.refuse('一张发票只能一种支付方式,付全额', 'an invoice is paid in one way, and whole');
  ELSIF nullif(ask->>'tendered', '')::numeric < due AND category.code = 'cash' THEN
    PERFORM desk.refuse('现金不足', 'the cash given does not cover what is due');
  ELSIF category.code <> 'cash' AND coalesce(pay->>'reference', '') = '' THEN
    PERFORM desk.refuse('断网时此支付方式须有交易号', 'without the network this method needs the number of the payment');
  ELSIF category.code <> 'cash' THEN
    INSERT INTO desk.payment_reference (pay_method, reference, request_id) VALUES (category.code, pay->>'reference', (ask->>'request')::uuid)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
      PERFORM desk.refuse('该交易号已用过', 'this payment number was used before');
    END IF;
  END IF;
  RETURN category.id;
END $$;

-- The bill of a visit, with room for more text: its list holds 300 characters, and the emergency's numbers are long.
CREATE FUNCTION desk.bill(visit bigint, more text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  bill bigint;
BEGIN
  PERFORM FROM dms_registration WHERE id = visit FOR UPDATE;
  SELECT id INTO bill FROM bms_bills_record WHERE registration_id = visit AND length(record_list) + length(more) <= 300 ORDER BY id DESC LIMIT 1;
  IF bill IS NULL THEN
    INSERT INTO bms_bills_record (bill_no, create_time, status, invoice_num, registration_id, record_list)
    VALUES (to_char(now(), 'YYYYMMDDHH24MI') || lpad((visit % 10000)::text, 4, '0'), now(), 1, 1, visit, more) RETURNING id INTO bill;
  ELSE
    UPDATE bms_bills_record SET record_list = record_list || more, invoice_num = invoice_num + 1 WHERE id = bill;
  END IF;
  RETURN bill;
END $$;

-- One invoice with its voucher. `lines` are [{name, price, quantity, medicine_item?, other_item?}].
CREATE FUNCTION desk.invoice(ask jsonb, who desk.session, shift desk.shift, visit bigint, of_kind text, bill bigint, category bigint,
                             sum numeric, items text, lines jsonb, offset_of bigint, reason text)
  RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  done bigint;
BEGIN
  INSERT INTO bms_invoice_record (create_time, invoice_no, bill_id, amount, associate_id, operator_id, settlement_cat_id, item_list, type)
  VALUES (now(), nextval('desk.invoice_no_seq'), bill, sum, offset_of, who.staff_id, category, items, CASE WHEN offset_of IS NULL THEN 1 ELSE 2 END)
  RETURNING id INTO done;
  INSERT INTO desk.voucher (invoice_id, number, registration_id, kind, shift_id, event, window_no, reference, tendered, reason)
  VALUES (done, desk.next_number(who, shift), visit, of_kind, shift.id, shift.event, who.window_no,
          ask->'payments'->0->>'reference', nullif(ask->>'tendered', '')::numeric, reason);
  INSERT INTO desk.voucher_line (invoice_id, line_no, name, price, quantity, medicine_item, other_item)
  SELECT done, n, l->>'name', (l->>'price')::numeric, (l->>'quantity')::bigint, (l->>'medicine_item')::bigint, (l->>'other_item')::bigint
    FROM jsonb_array_elements(lines) WITH ORDINALITY AS e(l, n);
  RETURN done;
END $$;

CREATE FUNCTION desk.charge_json(invoice bigint) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp
AS $$
  SELECT jsonb_build_object(
    'charge', i.id, 'number', v.number, 'receipt_no', i.invoice_no, 'kind', v.kind, 'status', CASE i.type WHEN 1 THEN 0 WHEN 3 THEN 1 ELSE 2 END,
    'refund_of', i.associate_id, 'reason', v.reason, 'registration', r.id, 'queue_no', q.queue_no, 'department', d.name,
    'patient', p.id, 'name', p.name, 'record_no', p.medical_record_no, 'total', i.amount::text, 'discount', '0.00', 'rounding', '0.00',
    'paid', i.amount::text, 'tendered', v.tendered::text, 'charged_at', i.create_time, 'window', v.window_no,
    'cashier', s.username, 'cashier_name', s.name, 'printed_at', v.printed_at, 'reprints', v.reprints,
    'lines', coalesce((SELECT jsonb_agg(jsonb_build_object('line', l.line_no, 'name', l.name, 'price', l.price::text, 'quantity', l.quantity::text,
                              'amount', (l.price * l.quantity)::text) ORDER BY l.line_no) FROM desk.voucher_line AS l WHERE l.invoice_id = i.id), '[]'),
    'payments', jsonb_build_array(jsonb_build_object('method', upper(c.code), 'method_name', c.name, 'amount', i.amount::text, 'reference', v.reference)))
    FROM bms_invoice_record AS i
    JOIN desk.voucher AS v ON v.invoice_id = i.id
    JOIN dms_registration AS r ON r.id = v.registration_id
    JOIN pms_patient AS p ON p.id = r.patient_id
    JOIN sms_dept AS d ON d.id = r.dept_id
    JOIN sms_staff AS s ON s.id = i.operator_id
    JOIN bms_settlement_cat AS c ON c.id = i.settlement_cat_id
    LEFT JOIN desk.queue_no AS q ON q.registration_id = r.id
   WHERE i.id = invoice
$$;

-- 挂号
CREATE FUNCTION desk.list_schedules(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
BEGIN
  RETURN jsonb_build_object('schedules', coalesce((
    SELECT jsonb_agg(jsonb_build_object('schedule', s.id, 'session', CASE s.noon WHEN 0 THEN 'am' ELSE 'pm' END, 'department', d.name,
                     'department_code', d.code, 'department_initials', d.code, 'doctor', t.name, 'level', k.name, 'fee', k.price::text,
                     'left', s.remain) ORDER BY d.code, s.id)
      FROM sms_skd AS s JOIN sms_dept AS d ON d.id = s.dept_id JOIN sms_staff AS t ON t.id = s.staff_id
      JOIN sms_registration_rank AS k ON k.id = t.registration_rank_id
     WHERE s.date::date = desk.today() AND s.status = 1 AND (ask->>'department' IS NULL OR d.code = upper(ask->>'department'))), '[]'));
END $$;

CREATE FUNCTION desk.register(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'register');
  shift desk.shift;
  slot sms_skd;
  person pms_patient;
  fee numeric;
  visit bigint;
  number integer;
  charge bigint;
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  shift := desk.my_shift(who);
  SELECT * INTO person FROM pms_patient WHERE id = desk.want(ask, 'patient')::bigint;
  IF person.id IS NULL THEN
    PERFORM desk.refuse('查无此患者', 'no such patient');
  END IF;
  UPDATE sms_skd SET remain = remain - 1
   WHERE id = desk.want(ask, 'schedule')::bigint AND date::date = desk.today() AND status = 1 AND remain > 0 RETURNING * INTO slot;
  IF slot.id IS NULL THEN
    PERFORM desk.refuse('该号源已满或停诊', 'no number is left here, or the doctor is away');
  ELSIF coalesce(ask->>'again', 'false') <> 'true' AND EXISTS (
      SELECT FROM dms_registration WHERE patient_id = person.id AND dept_id = slot.dept_id AND attendance_date::date = desk.today() AND status <> 4) THEN
    PERFORM desk.refuse('该患者今天已挂过本科室', 'this patient is registered in this department today already');
  END IF;
  SELECT k.price INTO fee FROM sms_staff AS t JOIN sms_registration_rank AS k ON k.id = t.registration_rank_id WHERE t.id = slot.staff_id;
  INSERT INTO dms_registration (patient_id, create_time, status, skd_id, need_book, bind_status, dept_id, attendance_date, patient_age_str)
  VALUES (person.id, now(), 1, slot.id, 0, 0, slot.dept_id, slot.date, extract(year FROM age(slot.date, person.date_of_birth)) || '岁')
  RETURNING id INTO visit;
  -- The slot's row is locked, so nobody else counts here now.
  SELECT coalesce(max(queue_no), 500) + 1 INTO number FROM desk.queue_no WHERE skd_id = slot.id;
  INSERT INTO desk.queue_no (registration_id, skd_id, queue_no) VALUES (visit, slot.id, number);
  charge := desk.invoice(ask, who, shift, visit, 'registration', desk.bill(visit, visit || ',0><'), desk.pay_by(ask, fee), fee,
                         visit || ',0,' || fee || '><', jsonb_build_array(jsonb_build_object('name', '挂号费', 'price', fee, 'quantity', 1)), NULL, NULL);
  RETURN desk.answer(ask, 'register', who, jsonb_build_object('registration', visit, 'queue_no', number, 'paid', fee::text,
                     'charges', jsonb_build_array(desk.charge_json(charge))));
END $$;

CREATE FUNCTION desk.queue(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
BEGIN
  RETURN jsonb_build_object('waiting', coalesce((
    SELECT jsonb_agg(jsonb_build_object('queue_no', q.queue_no, 'name', p.name, 'registration', r.id, 'department', d.name, 'registered_at', r.create_time)
                     ORDER BY d.code, r.skd_id, q.queue_no)
      FROM dms_registration AS r JOIN pms_patient AS p ON p.id = r.patient_id JOIN sms_dept AS d ON d.id = r.dept_id
      LEFT JOIN desk.queue_no AS q ON q.registration_id = r.id
     WHERE r.attendance_date::date = desk.today() AND r.status = 1 AND (d.code = upper(desk.want(ask, 'department')) OR d.name = ask->>'department')), '[]'));
END $$;

-- 待收费医嘱, as [{order, registration, kind, amount, lines}]. Its application's list of a visit.
CREATE FUNCTION desk.open_orders(person bigint) RETURNS TABLE (number bigint, registration bigint, kind text, amount numeric, lines jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp
AS $$
  SELECT o.id, o.registration_id, 'prescription', sum(d.price * i.num),
         jsonb_agg(jsonb_build_object('line', i.id, 'name', d.name, 'spec', d.format, 'unit', d.unit, 'price', d.price::text, 'quantity', i.num::text,
                   'amount', (d.price * i.num)::text, 'medicine_item', i.id) ORDER BY i.id)
    FROM dms_medicine_prescription_record AS o JOIN dms_registration AS r ON r.id = o.registration_id
    JOIN dms_medicine_item_record AS i ON i.prescription_id = o.id JOIN dms_drug AS d ON d.id = i.drug_id
   WHERE r.patient_id = person AND o.status = 1 AND r.status <> 4 GROUP BY o.id
  UNION ALL
  SELECT 1000000000000 + o.id, o.registration_id, CASE o.type WHEN 0 THEN 'examination' WHEN 1 THEN 'laboratory' ELSE 'treatment' END, n.price,
         jsonb_build_array(jsonb_build_object('line', o.id, 'name', n.name, 'spec', n.format, 'unit', '', 'price', n.price::text, 'quantity', '1',
                   'amount', n.price::text, 'other_item', o.id))
    FROM dms_non_drug_item_record AS o JOIN dms_registration AS r ON r.id = o.registration_id JOIN dms_non_drug AS n ON n.id = o.no_drug_id
   WHERE r.patient_id = person AND o.status = 1 AND r.status <> 4
$$;

CREATE FUNCTION desk.find_orders(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  person bigint := desk.want(ask, 'patient')::bigint;
BEGIN
  RETURN jsonb_build_object(
    'visits', coalesce((SELECT jsonb_agg(jsonb_build_object('registration', r.id, 'queue_no', q.queue_no, 'department', d.name, 'status', r.status) ORDER BY r.id DESC)
                          FROM dms_registration AS r JOIN sms_dept AS d ON d.id = r.dept_id LEFT JOIN desk.queue_no AS q ON q.registration_id = r.id
                         WHERE r.patient_id = person AND r.attendance_date::date = desk.today() AND r.status <> 4), '[]'),
    'orders', coalesce((SELECT jsonb_agg(jsonb_build_object('order', o.number, 'registration', o.registration, 'kind', o.kind, 'amount', o.amount::text,
                               'lines', o.lines) ORDER BY o.number) FROM desk.open_orders(person) AS o), '[]'));
END $$;

-- 查价
CREATE FUNCTION desk.price_search(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  look text := upper(btrim(desk.want(ask, 'text')));
BEGIN
  RETURN jsonb_build_object('items', coalesce((SELECT jsonb_agg(to_jsonb(f)) FROM (
    SELECT * FROM (
      SELECT 'D' || id AS code, name, format AS spec, unit, price::text AS price, mnemonic_code AS initials FROM dms_drug WHERE status = 1 AND price > 0
      UNION ALL
      SELECT 'N' || id, name, format, '', price::text, mnemonic_code FROM dms_non_drug WHERE status = 1 AND price > 0) AS i
     WHERE i.code = look OR i.initials LIKE look || '%' OR position(look IN upper(i.name)) > 0
     ORDER BY i.code <> look, i.code LIMIT 50) AS f), '[]'));
END $$;

-- What an ask comes to: [{order?, visit?, total, lines}], an invoice each.
CREATE FUNCTION desk.invoices_of(ask jsonb, visit dms_registration) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  asked bigint[] := ARRAY(SELECT e::bigint FROM jsonb_array_elements_text(coalesce(ask->'orders', '[]')) AS e);
  orders jsonb;
  extra jsonb;
BEGIN
  SELECT coalesce(jsonb_agg(jsonb_build_object('order', o.number, 'visit', o.registration, 'total', o.amount::text, 'lines', o.lines) ORDER BY o.number), '[]') INTO orders
    FROM desk.open_orders(visit.patient_id) AS o WHERE o.number = ANY (asked);
  IF jsonb_array_length(orders) <> cardinality(asked) THEN
    PERFORM desk.refuse('医嘱已收费、已退费或不是本人', 'an order is paid, refunded or of somebody else');
  END IF;
  -- One prescription for all drugs; one invoice for each other item, for an invoice's list too is short.
  WITH item AS (
    SELECT e.n, e.v->>'code' AS code, (e.v->>'quantity')::bigint AS quantity, coalesce(d.price, n.price) AS price, coalesce(d.name, n.name) AS name,
           d.id AS drug, n.id AS other, CASE WHEN n.id IS NULL THEN 0 ELSE e.n END AS invoice
      FROM jsonb_array_elements(coalesce(ask->'items', '[]')) WITH ORDINALITY AS e(v, n)
      LEFT JOIN dms_drug AS d ON 'D' || d.id = e.v->>'code' AND d.status = 1
      LEFT JOIN dms_non_drug AS n ON 'N' || n.id = e.v->>'code' AND n.status = 1
     WHERE (e.v->>'quantity')::numeric > 0
  )
  SELECT jsonb_agg(one ORDER BY one->'first') INTO extra FROM (
    SELECT jsonb_build_object('first', min(n), 'total', sum(price * quantity)::text, 'count', count(price),
             'lines', jsonb_agg(jsonb_build_object('name', name, 'price', price::text, 'quantity', quantity, 'drug', drug, 'other', other) ORDER BY n)) AS one
      FROM item GROUP BY invoice) AS f;
  IF (SELECT coalesce(sum((e->>'count')::integer), 0) FROM jsonb_array_elements(extra) AS e) <> jsonb_array_length(coalesce(ask->'items', '[]')) THEN
    PERFORM desk.refuse('收费项目或数量不对', 'an item or a quantity is wrong');
  ELSIF jsonb_array_length(orders || coalesce(extra, '[]')) = 0 THEN
    PERFORM desk.refuse('没有要收费的项目', 'there is nothing to charge');
  END IF;
  RETURN orders || coalesce(extra, '[]');
END $$;

CREATE FUNCTION desk.visit_of(ask jsonb) RETURNS dms_registration
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  visit dms_registration;
BEGIN
  SELECT * INTO visit FROM dms_registration WHERE id = desk.want(ask, 'registration')::bigint AND status <> 4;
  IF visit.id IS NULL THEN
    PERFORM desk.refuse('没有这次挂号,或已退号', 'no such registration, or it was cancelled');
  END IF;
  RETURN visit;
END $$;

CREATE FUNCTION desk.quote(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  due numeric;
BEGIN
  IF ask->>'registration' IS NOT NULL THEN
    SELECT sum((i->>'total')::numeric) INTO due FROM jsonb_array_elements(desk.invoices_of(ask, desk.visit_of(ask))) AS i;
  ELSE
    SELECT k.price INTO due FROM sms_skd AS s JOIN sms_staff AS t ON t.id = s.staff_id JOIN sms_registration_rank AS k ON k.id = t.registration_rank_id
     WHERE s.id = desk.want(ask, 'schedule')::bigint;
  END IF;
  RETURN jsonb_build_object('total', due::text, 'discount', '0.00', 'rounding', '0.00', 'paid', due::text,
                            'change', (nullif(ask->>'tendered', '')::numeric - due)::text);
END $$;

-- 收费
CREATE FUNCTION desk.charge(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'charge');
  shift desk.shift;
  visit dms_registration;
  plan jsonb;
  one jsonb;
  line jsonb;
  lines jsonb;
  due numeric;
  category bigint;
  document bigint;
  place bigint;
  code text;
  invoice bigint;
  written jsonb := '[]';
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  shift := desk.my_shift(who);
  visit := desk.visit_of(ask);
  -- Whoever charges one of these waits here, and then finds them paid.
  PERFORM FROM dms_registration WHERE patient_id = visit.patient_id ORDER BY id FOR UPDATE;
  plan := desk.invoices_of(ask, visit);
  SELECT sum((i->>'total')::numeric) INTO due FROM jsonb_array_elements(plan) AS i;
  IF nullif(ask->>'expect', '')::numeric <> due THEN
    PERFORM desk.refuse('应收金额已变,请重新核对', 'the sum has changed; look at it again');
  END IF;
  category := desk.pay_by(ask, due);
  FOR one IN SELECT * FROM jsonb_array_elements(plan) LOOP
    lines := one->'lines';
    document := (one->>'order')::bigint;
    IF document > 1000000000000 THEN
      document := document - 1000000000000;
      UPDATE dms_non_drug_item_record SET status = 2 WHERE id = document;
      code := CASE (SELECT type FROM dms_non_drug_item_record WHERE id = document) WHEN 0 THEN '1' WHEN 1 THEN '2' ELSE '3' END;
    ELSIF document IS NOT NULL THEN
      UPDATE dms_medicine_prescription_record SET status = 2 WHERE id = document;
      code := '5';
    ELSIF lines->0->>'drug' IS NOT NULL THEN
      INSERT INTO dms_medicine_prescription_record (status, create_time, amount, name, registration_id, type, create_staff_id)
      VALUES (2, now(), (one->>'total')::numeric, '窗口加收', visit.id, 1, who.staff_id) RETURNING id INTO document;
      lines := '[]';
      FOR line IN SELECT * FROM jsonb_array_elements(one->'lines') LOOP
        WITH item AS (INSERT INTO dms_medicine_item_record (drug_id, status, prescription_id, num, current_num)
                      VALUES ((line->>'drug')::bigint, 1, document, (line->>'quantity')::bigint, (line->>'quantity')::bigint) RETURNING id)
        SELECT lines || jsonb_build_array(line || jsonb_build_object('medicine_item', id)) INTO lines FROM item;
      END LOOP;
      code := '5';
    ELSE
      INSERT INTO dms_non_drug_item_record (registration_id, status, no_drug_id, create_time, type, excute_dept_id, create_staff_id, amount)
      SELECT visit.id, 2, n.id, now(), n.record_type - 1, n.dept_id, who.staff_id, (one->>'total')::numeric
        FROM dms_non_drug AS n WHERE n.id = (lines->0->>'other')::bigint RETURNING id INTO document;
      lines := jsonb_build_array((lines->0) || jsonb_build_object('other_item', document));
      code := '3';
    END IF;
    place := coalesce((one->>'visit')::bigint, visit.id);
    invoice := desk.invoice(ask, who, shift, place, 'order', desk.bill(place, document || ',' || code || '><'), category, (one->>'total')::numeric,
                            document || ',' || code || ',' || (one->>'total') || '><', lines, NULL, NULL);
    written := written || jsonb_build_array(desk.charge_json(invoice));
  END LOOP;
  RETURN desk.answer(ask, 'charge', who, jsonb_build_object('paid', due::text, 'charges', written,
                     'change', (nullif(ask->>'tendered', '')::numeric - due)::text));
END $$;

-- 退费: the invoice becomes type 3, a negative one of type 2 points at it, and what is kept is charged again.
CREATE FUNCTION desk.give_back(who desk.session, shift desk.shift, invoice bigint, wanted integer[], reason text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  original bms_invoice_record;
  voucher desk.voucher;
  cause text;
  taken numeric;
  kept jsonb;
  back bigint;
  rest bigint;
BEGIN
  SELECT * INTO original FROM bms_invoice_record WHERE id = invoice AND type = 1 FOR UPDATE;
  SELECT * INTO voucher FROM desk.voucher WHERE invoice_id = invoice;
  IF original.id IS NULL OR voucher.invoice_id IS NULL THEN
    PERFORM desk.refuse('没有这张收费单,或已退费', 'no such charge, or it was refunded');
  ELSIF EXISTS (SELECT FROM desk.refund_due WHERE invoice_id = invoice AND status = 'open') THEN
    PERFORM desk.refuse('该收费单已在待退费清单', 'this charge is on the list of refunds due already');
  END IF;
  SELECT sum(price * quantity) FILTER (WHERE wanted IS NULL OR line_no = ANY (wanted)),
         jsonb_agg(jsonb_build_object('name', name, 'price', price, 'quantity', quantity, 'medicine_item', medicine_item, 'other_item', other_item)
                   ORDER BY line_no) FILTER (WHERE line_no <> ALL (wanted)) INTO taken, kept
    FROM desk.voucher_line WHERE invoice_id = invoice;
  IF taken IS NULL THEN
    PERFORM desk.refuse('没有这一行', 'there is no such line');
  END IF;
  cause := CASE
    WHEN EXISTS (SELECT FROM desk.voucher_line AS l
                   LEFT JOIN dms_medicine_item_record AS m ON m.id = l.medicine_item
                   LEFT JOIN dms_medicine_prescription_record AS p ON p.id = m.prescription_id
                   LEFT JOIN dms_non_drug_item_record AS o ON o.id = l.other_item
                  WHERE l.invoice_id = invoice AND (wanted IS NULL OR l.line_no = ANY (wanted)) AND (p.status = 3 OR o.status = 3)) THEN 'executed'
    WHEN (SELECT code FROM bms_settlement_cat WHERE id = original.settlement_cat_id) <> 'cash' THEN 'not_cash' END;
  IF cause IS NOT NULL THEN
    INSERT INTO desk.refund_due (invoice_id, amount, cause, reason) VALUES (invoice, taken, cause, give_back.reason);
    RETURN jsonb_build_object('refunded', '0.00', 'due', taken::text, 'cause', cause, 'charges', '[]'::jsonb);
  END IF;
  UPDATE dms_medicine_item_record SET refund_num = num, current_num = 0
   WHERE id IN (SELECT medicine_item FROM desk.voucher_line WHERE invoice_id = invoice AND (wanted IS NULL OR line_no = ANY (wanted)));
  UPDATE dms_medicine_prescription_record AS p SET status = 4
   WHERE id IN (SELECT prescription_id FROM dms_medicine_item_record AS m JOIN desk.voucher_line AS l ON l.medicine_item = m.id WHERE l.invoice_id = invoice)
     AND NOT EXISTS (SELECT FROM dms_medicine_item_record AS m WHERE m.prescription_id = p.id AND m.current_num > 0);
  UPDATE dms_non_drug_item_record SET status = 4
   WHERE id IN (SELECT other_item FROM desk.voucher_line WHERE invoice_id = invoice AND (wanted IS NULL OR line_no = ANY (wanted)));
  UPDATE bms_invoice_record SET type = 3 WHERE id = invoice;
  back := desk.invoice('{}', who, shift, voucher.registration_id, voucher.kind, original.bill_id, original.settlement_cat_id, -original.amount,
                       NULL, (SELECT jsonb_agg(jsonb_build_object('name', name, 'price', price, 'quantity', -quantity) ORDER BY line_no)
                                FROM desk.voucher_line WHERE invoice_id = invoice), invoice, give_back.reason);
  IF kept IS NOT NULL THEN
    rest := desk.invoice('{}', who, shift, voucher.registration_id, voucher.kind, original.bill_id, original.settlement_cat_id,
                         original.amount - taken, original.item_list, kept, NULL, NULL);
  END IF;
  RETURN jsonb_build_object('refunded', taken::text, 'due', '0.00', 'charges',
    jsonb_build_array(desk.charge_json(back)) || CASE WHEN rest IS NULL THEN '[]' ELSE jsonb_build_array(desk.charge_json(rest)) END);
END $$;

CREATE FUNCTION desk.refund(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'refund');
  shift desk.shift;
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  shift := desk.my_shift(who);
  PERFORM desk.approver(ask, who);
  RETURN desk.answer(ask, 'refund', who, desk.give_back(who, shift, desk.want(ask, 'charge')::bigint,
    CASE WHEN ask->>'lines' IS NOT NULL THEN ARRAY(SELECT e::integer FROM jsonb_array_elements_text(ask->'lines') AS e) END, desk.want(ask, 'reason')));
END $$;

-- 退号
CREATE FUNCTION desk.cancel_registration(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'cancel_registration');
  shift desk.shift;
  visit dms_registration;
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  shift := desk.my_shift(who);
  PERFORM desk.approver(ask, who);
  UPDATE dms_registration AS r SET status = 4 WHERE id = desk.want(ask, 'registration')::bigint AND status = 1
     AND NOT EXISTS (SELECT FROM dms_medicine_prescription_record AS p WHERE p.registration_id = r.id)
     AND NOT EXISTS (SELECT FROM dms_non_drug_item_record AS o WHERE o.registration_id = r.id) RETURNING * INTO visit;
  IF visit.id IS NULL THEN
    PERFORM desk.refuse('已就诊、已退号或已有医嘱,不能退号', 'seen, cancelled or with orders: cannot be cancelled');
  END IF;
  UPDATE sms_skd SET remain = remain + 1 WHERE id = visit.skd_id;
  RETURN desk.answer(ask, 'cancel_registration', who, jsonb_build_object('registration', visit.id) || desk.give_back(who, shift,
    (SELECT invoice_id FROM desk.voucher AS v JOIN bms_invoice_record AS i ON i.id = v.invoice_id
      WHERE v.registration_id = visit.id AND v.kind = 'registration' AND i.type = 1), NULL, desk.want(ask, 'reason')));
END $$;

-- 已发药 / 已执行
CREATE FUNCTION desk.confirm_done(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'confirm_done');
  wanted bigint := desk.want(ask, 'order')::bigint;
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  UPDATE dms_medicine_prescription_record SET status = 3 WHERE id = wanted AND status = 2;
  IF NOT FOUND THEN
    UPDATE dms_non_drug_item_record SET status = 3, excute_staff_id = who.staff_id, excute_time = now() WHERE id = wanted - 1000000000000 AND status = 2;
    IF NOT FOUND THEN
      PERFORM desk.refuse('未缴费、已退费或已执行', 'not paid, refunded or done already');
    END IF;
  END IF;
  RETURN desk.answer(ask, 'confirm_done', who, jsonb_build_object('order', wanted));
END $$;

-- 凭证
CREATE FUNCTION desk.receipt(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
BEGIN
  RETURN coalesce(desk.charge_json((SELECT invoice_id FROM desk.voucher WHERE invoice_id = desk.want(ask, 'charge')::bigint)), '{}') || jsonb_build_object('event', desk.event());
END $$;

-- 班结
CREATE FUNCTION desk.shift_figures(shift desk.shift) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp
AS $$
  WITH mine AS (
    SELECT i.*, v.number, v.kind, v.printed_at, c.code, c.name AS method FROM desk.voucher AS v JOIN bms_invoice_record AS i ON i.id = v.invoice_id
      JOIN bms_settlement_cat AS c ON c.id = i.settlement_cat_id WHERE v.shift_id = shift.id)
  SELECT jsonb_build_object(
    'shift', shift.id, 'event', shift.event, 'window', shift.window_no, 'opened_at', shift.opened_at, 'last_printed', shift.last_printed,
    'charges', (SELECT count(*) FROM mine WHERE type <> 2), 'refunds', (SELECT count(*) FROM mine WHERE type = 2),
    'registrations', (SELECT count(*) FROM mine WHERE type <> 2 AND kind = 'registration'),
    'paid', (SELECT coalesce(sum(amount), 0.00)::text FROM mine), 'refunded', (SELECT coalesce(sum(amount), 0.00)::text FROM mine WHERE type = 2),
    'cash', (SELECT coalesce(sum(amount), 0.00)::text FROM mine WHERE code = 'cash'),
    'methods', coalesce((SELECT jsonb_agg(jsonb_build_object('method', upper(code), 'name', method, 'count', n, 'amount', amount::text) ORDER BY code)
                           FROM (SELECT code, method, count(*) AS n, sum(amount) AS amount FROM mine GROUP BY code, method) AS m), '[]'),
    'first_number', (SELECT min(number) FROM mine), 'last_number', (SELECT max(number) FROM mine),
    'not_printed', (SELECT count(*) FROM mine WHERE printed_at IS NULL))
$$;

CREATE FUNCTION desk.shift(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$ BEGIN RETURN desk.shift_figures(desk.my_shift(desk.who(ask))); END $$;

-- On the primary the HIS's own daily close follows, over every invoice of this cashier that no close covers yet.
CREATE FUNCTION desk.close_shift(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'close_shift');
  counted numeric := desk.want(ask, 'counted')::numeric;
  shift desk.shift;
  drawer jsonb;
  closed bigint;
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  shift := desk.my_shift(who);
  drawer := desk.shift_figures(shift);
  IF shift.event IS NULL THEN
    INSERT INTO bms_operator_settle_record (start_datetime, end_datetime, create_datetime, cashier_id, invoice_num, rush_invoice_num, amount, cash_amount, verify_status)
    SELECT min(i.create_time), now(), now(), who.staff_id, count(*), count(*) FILTER (WHERE i.type = 2), sum(i.amount), sum(i.amount) FILTER (WHERE c.code = 'cash'), 0
      FROM bms_invoice_record AS i JOIN bms_settlement_cat AS c ON c.id = i.settlement_cat_id
     WHERE i.operator_id = who.staff_id AND i.settle_record_id IS NULL RETURNING id INTO closed;
    UPDATE bms_invoice_record SET settle_record_id = closed WHERE operator_id = who.staff_id AND settle_record_id IS NULL;
    drawer := drawer || (SELECT jsonb_build_object('close', id, 'close_paid', amount::text, 'cash', coalesce(cash_amount, 0.00)::text) FROM bms_operator_settle_record WHERE id = closed);
  END IF;
  drawer := drawer || jsonb_build_object('counted', counted::text, 'over', (counted - (drawer->>'cash')::numeric)::text);
  UPDATE desk.shift AS s SET closed_at = now(), cash_expected = (drawer->>'cash')::numeric, cash_counted = counted, figures = drawer WHERE s.id = shift.id;
  RETURN desk.answer(ask, 'close_shift', who, drawer);
END $$;

-- Whoever may use a window calls the acts and reaches none of the tables.
CREATE ROLE his_desk LOGIN;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA desk FROM PUBLIC;
GRANT USAGE ON SCHEMA desk TO his_desk;
SELECT format('GRANT EXECUTE ON FUNCTION %s TO his_desk', oid::regprocedure) FROM pg_catalog.pg_proc WHERE pronamespace = 'desk'::regnamespace AND prosecdef \gexec
