-- 患者: found, entered with the least that is needed, completed later.

CREATE FUNCTION desk.patient_json(p outpatient.patient) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object(
    'patient', p.id, 'record_no', p.medical_record_no, 'name', p.name, 'sex', p.sex, 'birth_date', p.birth_date,
    'age', outpatient.age_text(p.birth_date, outpatient.today()), 'id_no', p.id_no, 'phone', p.phone,
    'category', c.code, 'category_name', c.name, 'insured', c.is_insured,
    'card', k.card_no, 'balance', k.balance::text)
    FROM base.settlement_category AS c
    LEFT JOIN LATERAL (SELECT card_no, balance FROM outpatient.card
                        WHERE patient_id = p.id AND status = 0 ORDER BY card_no LIMIT 1) AS k ON true
   WHERE c.id = p.settlement_category_id
$$;

-- 查找患者 {text, by?}: by card, record_no, id_no, phone, name or 拼音 initials; without `by`, by whatever the text may be:
-- a `number` is that of a card, a record, or a passport or the like.
CREATE FUNCTION desk.find_patient(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  look text := btrim(desk.want(ask, 'text'));
  how text := coalesce(ask->>'by', CASE
    WHEN look ~ '^[A-Za-z]{1,12}$' THEN 'initials'
    WHEN look ~ '^[0-9]{17}[0-9Xx]$' THEN 'id_no'
    WHEN look ~ '^1[0-9]{10}$' THEN 'phone'
    WHEN look ~ '^[A-Za-z]{0,3}[0-9][0-9A-Za-z]*$' THEN 'number'
    ELSE 'name' END);
  ids bigint[];
BEGIN
  IF how NOT IN ('card', 'record_no', 'number', 'id_no', 'phone', 'name', 'initials') THEN
    PERFORM desk.refuse('不支持的查询方式', 'no such way to look for a patient');
  END IF;
  SELECT array_agg(f.id ORDER BY f.id DESC) INTO ids FROM (
    SELECT patient_id AS id FROM outpatient.card WHERE how IN ('card', 'number') AND card_no = upper(look)
    UNION SELECT id FROM outpatient.patient WHERE how IN ('record_no', 'number') AND medical_record_no = upper(look)
    UNION SELECT id FROM outpatient.patient WHERE how IN ('id_no', 'number') AND id_no = upper(look)
    UNION SELECT id FROM outpatient.patient WHERE how = 'phone' AND phone = look
    UNION (SELECT id FROM outpatient.patient WHERE how = 'name' AND name = look ORDER BY id DESC LIMIT 20)
    UNION (SELECT id FROM outpatient.patient WHERE how = 'initials' AND name_phonetic = upper(look)
            ORDER BY id DESC LIMIT 20)
    LIMIT 20) AS f;
  INSERT INTO desk.access (staff_id, window_no, event, looked_by, found)
  VALUES (who.staff_id, who.window_no, desk.event(), how, coalesce(ids, '{}'));
  RETURN jsonb_build_object('patients', coalesce((
    SELECT jsonb_agg(desk.patient_json(p) ORDER BY p.id DESC) FROM outpatient.patient AS p WHERE p.id = ANY (ids)), '[]'));
END $$;

CREATE FUNCTION desk.check_id_no(document text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF document !~ '^[0-9]{17}[0-9X]$' OR right(document, 1) <> outpatient.id_check_digit(left(document, 17)) THEN
    PERFORM desk.refuse('身份证号校验不符', 'the identity number has a wrong check digit');
  END IF;
END $$;

-- 新患者建档 {name, sex, birth_date?, id_no?, phone?, category?, insurance_no?} or {unknown: true} for 无名氏.
CREATE FUNCTION desk.new_patient(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'new_patient');
  nameless boolean := coalesce((ask->>'unknown')::boolean, false);
  document text := upper(nullif(ask->>'id_no', ''));
  entered outpatient.patient;
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  IF document IS NOT NULL THEN
    PERFORM desk.check_id_no(document);
    SELECT * INTO entered FROM outpatient.patient WHERE id_type = '01' AND id_no = document;
    IF entered.id IS NOT NULL THEN
      RETURN desk.answer(ask, 'new_patient', who, desk.patient_json(entered) || '{"known": true}');
    END IF;
  END IF;
  INSERT INTO outpatient.patient (name, name_phonetic, sex, birth_date, id_type, id_no, phone,
                                  settlement_category_id, insurance_no)
  SELECT CASE WHEN nameless THEN '无名氏' ELSE desk.want(ask, 'name') END,
         CASE WHEN nameless THEN 'WMS' ELSE upper(coalesce(ask->>'initials', '')) END,
         coalesce(nullif(ask->>'sex', ''), '9'),
         coalesce((nullif(ask->>'birth_date', ''))::date, CASE WHEN document IS NOT NULL THEN substr(document, 7, 8)::date END),
         CASE WHEN document IS NOT NULL THEN '01' END, document, nullif(ask->>'phone', ''),
         (SELECT id FROM base.settlement_category
           WHERE is_active AND code = coalesce(nullif(ask->>'category', ''), (SELECT code FROM base.settlement_category ORDER BY id LIMIT 1))),
         nullif(ask->>'insurance_no', '')
  RETURNING * INTO entered;
  INSERT INTO outpatient.card (card_no, card_type, patient_id)
  VALUES ('C' || lpad(entered.id::text, greatest(10, length(entered.id::text)), '0'), 'hospital', entered.id);
  RETURN desk.answer(ask, 'new_patient', who, desk.patient_json(entered));
EXCEPTION WHEN unique_violation THEN
  PERFORM desk.refuse('另一窗口刚建了同一患者,请重新查找', 'another window has just entered this patient; look again');
END $$;

-- 补全信息 {patient, name?, sex?, birth_date?, id_no?, phone?, address?, category?}
CREATE FUNCTION desk.complete_patient(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'complete_patient');
  document text := upper(nullif(ask->>'id_no', ''));
  changed outpatient.patient;
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  IF document IS NOT NULL THEN
    PERFORM desk.check_id_no(document);
  END IF;
  UPDATE outpatient.patient AS p
     SET name = coalesce(nullif(ask->>'name', ''), p.name),
         name_phonetic = coalesce(upper(nullif(ask->>'initials', '')), p.name_phonetic),
         sex = coalesce(nullif(ask->>'sex', ''), p.sex),
         birth_date = coalesce(nullif(ask->>'birth_date', '')::date, p.birth_date),
         id_type = CASE WHEN document IS NOT NULL THEN '01' ELSE p.id_type END,
         id_no = coalesce(document, p.id_no),
         phone = coalesce(nullif(ask->>'phone', ''), p.phone),
         address = coalesce(nullif(ask->>'address', ''), p.address),
         settlement_category_id = coalesce((SELECT id FROM base.settlement_category WHERE code = ask->>'category'),
                                           p.settlement_category_id)
   WHERE p.id = desk.want(ask, 'patient')::bigint RETURNING * INTO changed;
  IF changed.id IS NULL THEN
    PERFORM desk.refuse('查无此患者', 'no such patient');
  END IF;
  RETURN desk.answer(ask, 'complete_patient', who, desk.patient_json(changed));
EXCEPTION WHEN unique_violation THEN
  PERFORM desk.refuse('该证件已属于另一患者', 'this document belongs to another patient');
END $$;
