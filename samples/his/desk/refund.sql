-- 退费(红冲): by offset, whole or by line. Cash goes back only for what was paid in cash and not carried out; everything
-- else is 待退费, and ends after the outage.

-- Gives a charge back, or records that it is to be. `wanted` are line numbers, NULL for all.
CREATE FUNCTION desk.give_back(who desk.session, shift desk.shift, original outpatient.charge, wanted integer[],
                               reason text, approver integer)
  RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  all_lines integer[];
  taken integer[];
  amount numeric;
  rate numeric;
  cause text;
  line record;
  kept jsonb;
  plan jsonb;
  offsetting outpatient.charge;
  rest outpatient.charge;
BEGIN
  SELECT array_agg(line_no ORDER BY line_no) INTO all_lines FROM outpatient.charge_line WHERE charge_id = original.id;
  taken := coalesce(wanted, all_lines);
  IF NOT taken <@ all_lines OR cardinality(taken) = 0 THEN
    PERFORM desk.refuse('没有这一行', 'there is no such line');
  END IF;
  IF EXISTS (SELECT FROM desk.refund_due WHERE charge_id = original.id AND status = 'open') THEN
    PERFORM desk.refuse('该收费单已在待退费清单', 'this charge is on the list of refunds due already');
  END IF;

  cause := CASE
    WHEN EXISTS (SELECT FROM outpatient.charge_line AS l
                   JOIN outpatient.order_line AS o ON o.order_id = l.order_id AND o.line_no = l.order_line_no
                  WHERE l.charge_id = original.id AND l.line_no = ANY (taken) AND o.exec_status = 1) THEN 'executed'
    WHEN EXISTS (SELECT FROM outpatient.payment WHERE charge_id = original.id AND pay_method <> 'CASH') THEN 'not_cash'
  END;
  IF cause IS NOT NULL THEN
    SELECT CASE WHEN taken @> all_lines THEN original.paid
                ELSE sum(l.amount) - round(sum(l.amount) * original.discount / nullif(original.total, 0), 2) END INTO amount
      FROM outpatient.charge_line AS l WHERE l.charge_id = original.id AND l.line_no = ANY (taken);
    INSERT INTO desk.refund_due (charge_id, lines, amount, cause, reason, staff_id, approver_id, event)
    VALUES (original.id, taken, amount, cause, reason, who.staff_id, approver, shift.event);
    RETURN jsonb_build_object('refunded', '0.00', 'due', amount::text, 'cause', cause, 'charges', '[]'::jsonb);
  END IF;

  FOR line IN SELECT o.order_id, o.line_no FROM outpatient.charge_line AS l
                JOIN outpatient.order_line AS o ON o.order_id = l.order_id AND o.line_no = l.order_line_no
               WHERE l.charge_id = original.id AND l.line_no = ANY (taken) ORDER BY o.item_id, o.line_no LOOP
    UPDATE outpatient.order_line SET charge_status = 2 WHERE order_id = line.order_id AND line_no = line.line_no;
  END LOOP;
  UPDATE outpatient.doctor_order SET charge_status = 2
   WHERE id = original.order_id
     AND NOT EXISTS (SELECT FROM outpatient.order_line WHERE order_id = original.order_id AND charge_status = 1);
  UPDATE outpatient.charge SET status = 1 WHERE id = original.id;

  -- The whole goes back, with a negative entry that points at it; what is kept is charged again, at the same prices.
  SELECT jsonb_build_object(
           'order', original.order_id, 'total', (-original.total)::text, 'discount', (-original.discount)::text,
           'rounding', (-original.rounding)::text, 'paid', (-original.paid)::text,
           'lines', jsonb_agg(jsonb_build_object('item', l.item_id, 'name', l.item_name, 'price', l.price, 'quantity', -l.quantity,
                              'order_line', l.order_line_no, 'ordering_dept', l.ordering_dept_id) ORDER BY l.line_no),
           'payments', (SELECT jsonb_agg(jsonb_build_object('method', p.pay_method, 'amount', (-p.amount)::text) ORDER BY p.seq)
                          FROM outpatient.payment AS p WHERE p.charge_id = original.id)),
         jsonb_agg(jsonb_build_object('item', l.item_id, 'name', l.item_name, 'price', l.price, 'quantity', l.quantity,
                   'order_line', l.order_line_no, 'ordering_dept', l.ordering_dept_id) ORDER BY l.line_no)
           FILTER (WHERE l.line_no <> ALL (taken))
    INTO plan, kept FROM outpatient.charge_line AS l WHERE l.charge_id = original.id;
  offsetting := desk.write_charge(who, shift, original.kind, original.registration_id, original.patient_id,
                                  original.settlement_category_id, plan, NULL, NULL, original.id, reason);
  IF kept IS NOT NULL THEN
    -- The rate that was given then: the category may have another one today.
    rate := CASE WHEN original.total = 0 THEN 0 ELSE original.discount / original.total END;
    plan := desk.put_together(jsonb_build_array(jsonb_build_object('lines', kept, 'order', original.order_id)), rate,
                              '[{"method": "CASH"}]');
    rest := desk.write_charge(who, shift, original.kind, original.registration_id, original.patient_id,
                              original.settlement_category_id, plan->0,
                              (SELECT mode FROM desk.insurance_later WHERE charge_id = original.id), NULL, NULL, NULL);
  END IF;
  UPDATE desk.insurance_later SET status = 'waived', ended_by = approver, ended_at = now(), note = '已退费'
   WHERE charge_id = original.id AND status = 'open';
  RETURN jsonb_build_object(
    'refunded', (original.paid - coalesce(rest.paid, 0))::text, 'due', '0.00',
    'charges', jsonb_build_array(desk.charge_json(offsetting.id))
               || CASE WHEN rest.id IS NULL THEN '[]' ELSE jsonb_build_array(desk.charge_json(rest.id)) END);
END $$;

-- 收费记录 {patient} or {number}: for refunding and printing again. The number is that of the voucher or the printed form.
CREATE FUNCTION desk.find_charges(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
BEGIN
  RETURN jsonb_build_object('charges', coalesce((
    SELECT jsonb_agg(desk.charge_json(f.id) ORDER BY f.id DESC) FROM (
      SELECT id FROM outpatient.charge WHERE patient_id = (ask->>'patient')::bigint AND status <> 2
      UNION SELECT charge_id FROM desk.voucher WHERE number = upper(ask->>'number')
      UNION SELECT id FROM outpatient.charge WHERE ask->>'number' ~ '^[0-9]{1,18}$' AND receipt_no = (ask->>'number')::bigint
      ORDER BY 1 DESC LIMIT 30) AS f), '[]'));
END $$;

-- 退费 {charge, lines?, reason, approver, approver_secret}; also of charges made before the outage.
CREATE FUNCTION desk.refund(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'refund');
  shift desk.shift;
  approver integer;
  original outpatient.charge;
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  shift := desk.my_shift(who);
  approver := desk.approver(ask, who);
  SELECT * INTO original FROM outpatient.charge WHERE id = desk.want(ask, 'charge')::bigint FOR UPDATE;
  IF original.id IS NULL OR original.status <> 0 THEN
    PERFORM desk.refuse('没有这张收费单,或已退费', 'no such charge, or it was refunded');
  ELSIF original.kind = 'registration' THEN
    PERFORM desk.refuse('挂号费请用退号', 'a registration is given back by cancelling it');
  END IF;
  PERFORM FROM outpatient.doctor_order WHERE id = original.order_id FOR UPDATE;
  RETURN desk.answer(ask, 'refund', who, desk.give_back(who, shift, original,
    CASE WHEN ask->'lines' IS NOT NULL AND ask->>'lines' IS NOT NULL
         THEN ARRAY(SELECT e::integer FROM jsonb_array_elements_text(ask->'lines') AS e) END,
    desk.want(ask, 'reason'), approver));
END $$;

-- 待退费清单, and how one ends {id, as: paid | dropped, note}
CREATE FUNCTION desk.refunds_due(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
BEGIN
  RETURN jsonb_build_object('due', coalesce((
    SELECT jsonb_agg(jsonb_build_object('id', d.id, 'charge', d.charge_id, 'number', v.number, 'name', p.name, 'phone', p.phone,
                     'amount', d.amount::text, 'cause', d.cause, 'reason', d.reason, 'at', d.at) ORDER BY d.id)
      FROM desk.refund_due AS d
      JOIN outpatient.charge AS c ON c.id = d.charge_id
      JOIN outpatient.patient AS p ON p.id = c.patient_id
      LEFT JOIN desk.voucher AS v ON v.charge_id = c.id
     WHERE d.status = 'open'), '[]'));
END $$;

CREATE FUNCTION desk.end_refund_due(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'end_refund_due');
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  UPDATE desk.refund_due SET status = desk.want(ask, 'as'), ended_by = who.staff_id, ended_at = now(), note = desk.want(ask, 'note')
   WHERE id = desk.want(ask, 'id')::bigint AND status = 'open';
  IF NOT FOUND THEN
    PERFORM desk.refuse('没有这笔待退费,或已了结', 'no such refund is due, or it has ended');
  END IF;
  RETURN desk.answer(ask, 'end_refund_due', who, jsonb_build_object('id', ask->'id', 'as', ask->'as'));
END $$;

-- 医保补结算清单, and how one ends {charge, as: settled | waived, note}
CREATE FUNCTION desk.insurance_list(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
BEGIN
  RETURN jsonb_build_object('open', coalesce((
    SELECT jsonb_agg(jsonb_build_object('charge', i.charge_id, 'number', v.number, 'name', p.name, 'phone', p.phone,
                     'insurance_no', i.insurance_no, 'mode', i.mode, 'amount', i.amount::text) ORDER BY i.charge_id)
      FROM desk.insurance_later AS i
      JOIN outpatient.patient AS p ON p.id = i.patient_id
      LEFT JOIN desk.voucher AS v ON v.charge_id = i.charge_id
     WHERE i.status = 'open'), '[]'));
END $$;

CREATE FUNCTION desk.end_insurance(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'end_insurance');
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  UPDATE desk.insurance_later SET status = desk.want(ask, 'as'), ended_by = who.staff_id, ended_at = now(), note = desk.want(ask, 'note')
   WHERE charge_id = desk.want(ask, 'charge')::bigint AND status = 'open';
  IF NOT FOUND THEN
    PERFORM desk.refuse('没有这笔医保补结算,或已了结', 'no such settlement is open, or it has ended');
  END IF;
  RETURN desk.answer(ask, 'end_insurance', who, jsonb_build_object('charge', ask->'charge', 'as', ask->'as'));
END $$;
