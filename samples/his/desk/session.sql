-- Who may work at a desk of this HIS, and on which day.

CREATE FUNCTION desk.today() RETURNS date
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT outpatient.today() $$;

CREATE FUNCTION desk.set_secret(staff text, secret text, approves boolean DEFAULT false) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO desk.secret (staff_id, salt, verifier, may_approve)
  SELECT s.id, t.salt, encode(sha256(convert_to(t.salt || ':' || secret, 'UTF8')), 'hex'), approves
    FROM base.staff AS s, (SELECT gen_random_uuid()::text AS salt) AS t WHERE s.staff_no = staff
  ON CONFLICT (staff_id) DO UPDATE
     SET salt = excluded.salt, verifier = excluded.verifier, may_approve = excluded.may_approve
$$;

-- The staff member whose number and secret these are; a wrong one waits, so that guessing is slow.
CREATE FUNCTION desk.check_secret(staff text, secret text) RETURNS desk.member
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found desk.member;
BEGIN
  SELECT k.staff_id, k.may_approve INTO found FROM desk.secret AS k JOIN base.staff AS s ON s.id = k.staff_id
   WHERE s.staff_no = staff AND s.is_active
     AND k.verifier = encode(sha256(convert_to(k.salt || ':' || secret, 'UTF8')), 'hex');
  IF found.staff_id IS NULL THEN
    PERFORM pg_sleep(0.5);
    PERFORM desk.refuse('工号或口令不对', 'wrong staff number or secret');
  END IF;
  RETURN found;
END $$;

-- What is left of this cashier's preprinted receipts; NULL without any.
CREATE FUNCTION desk.forms_left(cashier integer) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object('prefix', prefix, 'next', current_no + 1, 'end', end_no, 'left', end_no - current_no)
    FROM outpatient.receipt_segment WHERE cashier_id = cashier AND status = 0
$$;

-- 登录 {staff_no, secret, window}
CREATE FUNCTION desk.login(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known desk.member := desk.check_secret(desk.want(ask, 'staff_no'), desk.want(ask, 'secret'));
  staff base.staff;
BEGIN
  SELECT * INTO STRICT staff FROM base.staff WHERE id = known.staff_id;
  RETURN desk.begin_session(staff.id, desk.want(ask, 'window')) || jsonb_build_object(
    'staff_no', staff.staff_no, 'name', staff.name, 'may_approve', known.may_approve,
    'methods', (SELECT jsonb_agg(jsonb_build_object('code', m.code, 'name', m.name, 'needs_network', m.needs_network)
                       ORDER BY m.needs_network, m.code <> 'CASH', m.code)
                  FROM base.pay_method AS m WHERE m.is_active AND m.code <> 'INSURANCE'));
END $$;
