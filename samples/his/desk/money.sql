-- How a charge is put together and written. Used by registration, charging and refunding alike.
--
-- Lock order, as in window/functions.sql:
--     order or charge > registration > schedule > patient > drug batch (by drug) > card > receipt segment > receipt counter

-- What is due for each of several charges, paid with `payments` [{method, amount?, reference?, card?}]. The payment without
-- an amount takes the rest; what is left for cash is rounded to 0.10, for there are no smaller coins in the drawer.
-- Gives [{total, discount, rounding, paid, payments: [{method, amount, reference, card}]}], in the order of `charges`
-- [{lines: [{price, quantity}]}].
CREATE FUNCTION desk.put_together(charges jsonb, rate numeric, payments jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  one jsonb;
  pay jsonb;
  total numeric;
  due numeric;
  due_of_all numeric := 0;
  rounding numeric;
  paid numeric;
  part numeric;
  rest text;
  rest_pay jsonb;
  amounts numeric[] := '{}';
  parts jsonb;
  result jsonb := '[]';
BEGIN
  FOR pay IN SELECT * FROM jsonb_array_elements(payments) LOOP
    IF coalesce(pay->>'amount', '') = '' THEN
      IF rest IS NOT NULL THEN
        PERFORM desk.refuse('只能有一笔支付不写金额', 'only one payment may be without an amount');
      END IF;
      rest := desk.want(pay, 'method');
      rest_pay := pay;
    ELSIF (pay->>'amount')::numeric <= 0 OR (pay->>'amount')::numeric <> round((pay->>'amount')::numeric, 2) THEN
      PERFORM desk.refuse('支付金额不对', 'a payment has an impossible amount');
    END IF;
    amounts := amounts || coalesce(nullif(pay->>'amount', '')::numeric, 0);
  END LOOP;

  FOR one IN SELECT * FROM jsonb_array_elements(charges) LOOP
    SELECT coalesce(sum(round((l->>'price')::numeric * (l->>'quantity')::numeric, 2)), 0) INTO total
      FROM jsonb_array_elements(one->'lines') AS l;
    due := total - round(total * rate, 2);
    due_of_all := due_of_all + due;
    paid := 0;
    parts := '[]';
    FOR n IN 1..coalesce(array_length(amounts, 1), 0) LOOP
      part := least(amounts[n], due - paid);
      IF part > 0 THEN
        amounts[n] := amounts[n] - part;
        paid := paid + part;
        parts := parts || jsonb_build_array((payments->(n - 1)) || jsonb_build_object('amount', part::text));
      END IF;
    END LOOP;
    rounding := 0;
    IF paid < due OR jsonb_array_length(parts) = 0 THEN
      IF rest IS NULL AND paid < due THEN
        PERFORM desk.refuse('支付金额不足', 'the payments do not cover what is due');
      END IF;
      part := due - paid;
      IF coalesce(rest, 'CASH') = 'CASH' THEN
        rounding := round(part, 1) - part;
        part := part + rounding;
      END IF;
      paid := paid + part;
      parts := parts || jsonb_build_array(coalesce(rest_pay, '{"method": "CASH"}') || jsonb_build_object('amount', part::text));
    END IF;
    result := result || jsonb_build_array(jsonb_build_object(
      'total', total::text, 'discount', (total - due)::text, 'rounding', rounding::text, 'paid', paid::text,
      'payments', parts, 'lines', one->'lines', 'order', one->'order'));
  END LOOP;
  IF EXISTS (SELECT FROM unnest(amounts) AS a WHERE a > 0) THEN
    PERFORM desk.refuse('支付金额多于应收', 'the payments are more than what is due');
  END IF;
  RETURN result;
END $$;

-- A method that needs the network is taken only with the number of a payment that went through, each number once.
CREATE FUNCTION desk.check_payments(ask jsonb, patient bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  pay jsonb;
  method base.pay_method;
BEGIN
  FOR pay IN SELECT * FROM jsonb_array_elements(coalesce(ask->'payments', '[]')) LOOP
    SELECT * INTO method FROM base.pay_method WHERE code = desk.want(pay, 'method') AND is_active;
    IF method.code IS NULL THEN
      PERFORM desk.refuse('没有这种支付方式', 'no such pay method');
    ELSIF method.code = 'CARD' THEN
      IF NOT EXISTS (SELECT FROM outpatient.card WHERE card_no = desk.want(pay, 'card') AND patient_id = patient AND status = 0) THEN
        PERFORM desk.refuse('该卡不可用', 'this card cannot be used');
      END IF;
    ELSIF method.needs_network THEN
      IF coalesce(pay->>'reference', '') = '' THEN
        PERFORM desk.refuse('断网时此支付方式须有交易号', 'without the network this method needs the number of the payment');
      END IF;
      IF EXISTS (SELECT FROM outpatient.payment AS p
                  WHERE p.trade_no = pay->>'reference' AND p.pay_method = method.code) THEN
        PERFORM desk.refuse('该交易号已用过', 'this payment number was used before');
      END IF;
      BEGIN
        INSERT INTO desk.payment_reference (pay_method, reference, request_id)
        VALUES (method.code, pay->>'reference', (ask->>'request')::uuid);
      EXCEPTION WHEN unique_violation THEN
        PERFORM desk.refuse('该交易号已用过', 'this payment number was used before');
      END;
    END IF;
  END LOOP;
END $$;

-- The next preprinted form of this cashier for a charge; NULL when the roll is at its end (the charge is good all the same,
-- and waits to be printed).
CREATE FUNCTION desk.take_form(cashier integer, charge bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  roll outpatient.receipt_segment;
BEGIN
  UPDATE outpatient.receipt_segment
     SET current_no = current_no + 1, status = CASE WHEN current_no + 1 = end_no THEN 1 ELSE 0 END
   WHERE cashier_id = cashier AND status = 0 AND current_no < end_no RETURNING * INTO roll;
  IF roll.id IS NULL THEN
    RETURN NULL;
  END IF;
  INSERT INTO outpatient.receipt (segment_id, printed_no, charge_id) VALUES (roll.id, roll.current_no, charge);
  RETURN roll.current_no;
END $$;

-- Writes one charge of put_together with everything that belongs to it, and its 应急收费凭证.
CREATE FUNCTION desk.write_charge(
    who desk.session, shift desk.shift, kind outpatient.charge_kind, registration bigint, patient bigint,
    category integer, one jsonb, insured text, tendered numeric, offset_of bigint, reason text)
  RETURNS outpatient.charge
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  done outpatient.charge;
  pay jsonb;
  doctor_order bigint := (one->>'order')::bigint;
BEGIN
  FOR pay IN SELECT v FROM jsonb_array_elements(one->'payments') AS v WHERE v->>'card' IS NOT NULL ORDER BY v->>'card' LOOP
    -- Never below what the snapshot knew: this balance is the snapshot's, less what the windows took since.
    UPDATE outpatient.card SET balance = balance - (pay->>'amount')::numeric
     WHERE card_no = pay->>'card' AND status = 0 AND (balance >= (pay->>'amount')::numeric OR offset_of IS NOT NULL);
    IF NOT FOUND THEN
      PERFORM desk.refuse('卡内余额不足', 'the balance of the card does not cover this');
    END IF;
  END LOOP;

  INSERT INTO outpatient.charge (receipt_no, kind, registration_id, patient_id, order_id, settlement_category_id,
                                 total, discount, rounding, paid, status, refund_of, refund_reason, cashier_id, window_no)
  VALUES (outpatient.next_receipt_no(), kind, registration, patient, doctor_order, category,
          (one->>'total')::numeric, (one->>'discount')::numeric, (one->>'rounding')::numeric, (one->>'paid')::numeric,
          CASE WHEN offset_of IS NULL THEN 0 ELSE 2 END, offset_of, reason, who.staff_id, who.window_no)
  RETURNING * INTO done;
  INSERT INTO outpatient.charge_line (charge_id, line_no, item_id, item_name, spec, unit, price, quantity,
                                      receipt_class, reimbursement_class, order_id, order_line_no,
                                      ordering_dept_id, executing_dept_id)
  SELECT done.id, l.n, i.id, coalesce(l.v->>'name', i.name), i.spec, i.unit,
         (l.v->>'price')::numeric, (l.v->>'quantity')::numeric, i.receipt_class, i.reimbursement_class,
         doctor_order, (l.v->>'order_line')::integer, (l.v->>'ordering_dept')::integer,
         coalesce(i.department_id, (l.v->>'ordering_dept')::integer)
    FROM jsonb_array_elements(one->'lines') WITH ORDINALITY AS l(v, n)
    JOIN base.charge_item AS i ON i.id = (l.v->>'item')::integer;
  INSERT INTO outpatient.payment (charge_id, seq, pay_method, amount, card_no, trade_no)
  SELECT done.id, p.n, p.v->>'method', (p.v->>'amount')::numeric, nullif(p.v->>'card', ''), nullif(p.v->>'reference', '')
    FROM jsonb_array_elements(one->'payments') WITH ORDINALITY AS p(v, n);
  PERFORM desk.take_form(who.staff_id, done.id);
  INSERT INTO desk.voucher (charge_id, number, shift_id, event, window_no, tendered)
  VALUES (done.id, desk.next_number(who, shift), shift.id, shift.event, who.window_no, tendered);
  IF insured IS NOT NULL THEN
    INSERT INTO desk.insurance_later (charge_id, patient_id, insurance_no, mode, amount, event)
    SELECT done.id, p.id, p.insurance_no, insured, done.paid, shift.event FROM outpatient.patient AS p WHERE p.id = done.patient_id;
  END IF;
  RETURN done;
END $$;

-- What a window is told of a charge, and what its 应急收费凭证 prints.
CREATE FUNCTION desk.charge_json(charge bigint) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object(
    'charge', c.id, 'number', v.number, 'receipt_no', c.receipt_no, 'kind', c.kind, 'status', c.status,
    'refund_of', c.refund_of, 'reason', c.refund_reason, 'registration', r.id, 'registration_no', r.registration_no,
    'queue_no', r.visit_seq, 'department', d.name, 'doctor', t.name,
    'patient', p.id, 'name', p.name, 'record_no', p.medical_record_no, 'category_name', g.name,
    'order', c.order_id, 'total', c.total::text, 'discount', c.discount::text, 'rounding', c.rounding::text,
    'paid', c.paid::text, 'tendered', v.tendered::text, 'charged_at', c.charged_at, 'window', c.window_no,
    'cashier', s.staff_no, 'cashier_name', s.name, 'printed_at', v.printed_at, 'reprints', v.reprints,
    'insured', i.mode,
    'form', (SELECT e.prefix || lpad(f.printed_no::text, 8, '0') FROM outpatient.receipt AS f
               JOIN outpatient.receipt_segment AS e ON e.id = f.segment_id
              WHERE f.charge_id = c.id AND f.status = 0 ORDER BY f.printed_at DESC LIMIT 1),
    'lines', (SELECT jsonb_agg(jsonb_build_object(
                'line', l.line_no, 'name', l.item_name, 'spec', l.spec, 'unit', l.unit, 'price', l.price::text,
                'quantity', l.quantity::text, 'amount', l.amount::text, 'class', l.receipt_class,
                'done', coalesce(o.exec_status = 1, false), 'where', e.name, 'where_at', e.location) ORDER BY l.line_no)
                FROM outpatient.charge_line AS l
                JOIN base.department AS e ON e.id = l.executing_dept_id
                LEFT JOIN outpatient.order_line AS o ON o.order_id = l.order_id AND o.line_no = l.order_line_no
               WHERE l.charge_id = c.id),
    'payments', (SELECT jsonb_agg(jsonb_build_object('method', y.pay_method, 'method_name', m.name,
                        'amount', y.amount::text, 'reference', y.trade_no) ORDER BY y.seq)
                   FROM outpatient.payment AS y JOIN base.pay_method AS m ON m.code = y.pay_method
                  WHERE y.charge_id = c.id))
    FROM outpatient.charge AS c
    JOIN outpatient.registration AS r ON r.id = c.registration_id
    JOIN outpatient.patient AS p ON p.id = c.patient_id
    JOIN base.department AS d ON d.id = r.department_id
    JOIN base.staff AS t ON t.id = r.doctor_id
    JOIN base.staff AS s ON s.id = c.cashier_id
    JOIN base.settlement_category AS g ON g.id = c.settlement_category_id
    LEFT JOIN desk.voucher AS v ON v.charge_id = c.id
    LEFT JOIN desk.insurance_later AS i ON i.charge_id = c.id
   WHERE c.id = charge
$$;

-- An insured patient pays now or leaves the card; either is settled after the outage. NULL on a normal day.
CREATE FUNCTION desk.insured_as(ask jsonb, category base.settlement_category) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NOT category.is_insured OR desk.event() IS NULL THEN
    RETURN NULL;
  ELSIF coalesce(ask->>'insured', 'self_paid') NOT IN ('self_paid', 'card_left') THEN
    PERFORM desk.refuse('医保方式只能是先自费或留卡', 'insured is self_paid or card_left');
  END IF;
  RETURN coalesce(ask->>'insured', 'self_paid');
END $$;

-- The payments of an ask; who leaves the card owes all of it.
CREATE FUNCTION desk.payments(ask jsonb, insured text) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN insured = 'card_left' THEN '[{"method": "CREDIT"}]'
              WHEN jsonb_array_length(coalesce(ask->'payments', '[]')) = 0 THEN '[{"method": "CASH"}]'
              ELSE ask->'payments' END
$$;

-- What the patient gave in cash, and the change; refused when it is too little.
CREATE FUNCTION desk.cash_of(ask jsonb, charges jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  cash numeric := (SELECT coalesce(sum((p->>'amount')::numeric), 0)
                     FROM jsonb_array_elements(charges) AS c, jsonb_array_elements(c->'payments') AS p
                    WHERE p->>'method' = 'CASH');
  given numeric := nullif(ask->>'tendered', '')::numeric;
BEGIN
  IF given < cash THEN
    PERFORM desk.refuse('现金不足', 'the cash given does not cover what is due');
  END IF;
  RETURN jsonb_build_object('cash', cash::text, 'tendered', given::text, 'change', (given - cash)::text);
END $$;
