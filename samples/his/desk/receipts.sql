-- 应急收费凭证: printed after the commit, printed again and counted, forms spoiled and kept, rolls issued in place.

-- 凭证 {charge}: what is printed. A charge that has no preprinted form yet gets its number now.
CREATE FUNCTION desk.receipt(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  found outpatient.charge;
BEGIN
  SELECT c.* INTO found FROM outpatient.charge AS c JOIN desk.voucher AS v ON v.charge_id = c.id
   WHERE c.id = desk.want(ask, 'charge')::bigint FOR UPDATE OF v;
  IF found.id IS NULL THEN
    PERFORM desk.refuse('没有这张应急收费凭证', 'there is no such voucher');
  END IF;
  IF NOT EXISTS (SELECT FROM outpatient.receipt WHERE charge_id = found.id AND status = 0)
     AND desk.take_form(who.staff_id, found.id) IS NULL THEN
    PERFORM desk.refuse('票据已用完,请主管发放新的票据段', 'the roll of receipts is at its end; a supervisor issues a new one');
  END IF;
  RETURN desk.charge_json(found.id);
END $$;

-- 打印成功 {charge}: the first time, or counted as printed again.
CREATE FUNCTION desk.printed(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'printed');
  found desk.voucher;
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  UPDATE desk.voucher SET reprints = reprints + (printed_at IS NOT NULL)::integer, printed_at = coalesce(printed_at, now())
   WHERE charge_id = desk.want(ask, 'charge')::bigint RETURNING * INTO found;
  IF found.charge_id IS NULL THEN
    PERFORM desk.refuse('没有这张应急收费凭证', 'there is no such voucher');
  END IF;
  UPDATE outpatient.receipt SET reprints = found.reprints WHERE charge_id = found.charge_id AND status = 0 AND found.reprints > 0;
  RETURN desk.answer(ask, 'printed', who, jsonb_build_object('charge', found.charge_id, 'reprints', found.reprints));
END $$;

-- 待补打: the charges of this cashier's shift that are good and not printed yet.
CREATE FUNCTION desk.to_print(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  shift desk.shift := desk.my_shift(who);
BEGIN
  RETURN jsonb_build_object('charges', coalesce((
    SELECT jsonb_agg(desk.charge_json(charge_id) ORDER BY charge_id) FROM desk.voucher
     WHERE shift_id = shift.id AND printed_at IS NULL), '[]'));
END $$;

-- 票据作废 {charge, why}: the paper jammed. The form's number is kept as void; the next one goes to the charge.
CREATE FUNCTION desk.spoil_form(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'spoil_form');
  shift desk.shift;
  spoiled outpatient.receipt;
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  shift := desk.my_shift(who);
  UPDATE outpatient.receipt SET status = 1, voided_at = now()
   WHERE charge_id = desk.want(ask, 'charge')::bigint AND status = 0 RETURNING * INTO spoiled;
  IF spoiled.segment_id IS NULL THEN
    PERFORM desk.refuse('该收费单没有在用的票据', 'this charge has no form in use');
  END IF;
  INSERT INTO desk.spoiled (segment_id, printed_no, shift_id, why)
  VALUES (spoiled.segment_id, spoiled.printed_no, shift.id, desk.want(ask, 'why'));
  UPDATE desk.voucher SET printed_at = NULL WHERE charge_id = spoiled.charge_id;
  PERFORM desk.take_form(who.staff_id, spoiled.charge_id);
  RETURN desk.answer(ask, 'spoil_form', who, jsonb_build_object('spoiled', spoiled.printed_no, 'charge', spoiled.charge_id));
END $$;

-- 发放票据 {prefix, first, last, approver, approver_secret}: a supervisor hands this cashier a new roll; what is left of the
-- old one is taken back.
CREATE FUNCTION desk.issue_forms(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'issue_forms');
  first bigint := desk.want(ask, 'first')::bigint;
  last bigint := desk.want(ask, 'last')::bigint;
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  PERFORM desk.approver(ask, who);
  IF first > last OR EXISTS (SELECT FROM outpatient.receipt_segment
                              WHERE prefix = upper(desk.want(ask, 'prefix')) AND start_no <= last AND end_no >= first) THEN
    PERFORM desk.refuse('号段不对或已领用', 'the range is wrong or was issued before');
  END IF;
  UPDATE outpatient.receipt_segment SET status = 2 WHERE cashier_id = who.staff_id AND status = 0;
  INSERT INTO outpatient.receipt_segment (id, cashier_id, prefix, start_no, end_no, current_no)
  VALUES (nextval('desk.segment_id_seq'), who.staff_id, upper(ask->>'prefix'), first, last, first - 1);
  RETURN desk.answer(ask, 'issue_forms', who, '{}');
EXCEPTION WHEN unique_violation THEN
  PERFORM desk.refuse('号段不对或已领用', 'the range is wrong or was issued before');
END $$;
