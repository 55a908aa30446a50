-- Does everything in the reference HIS agree with everything else? Every rule is asked of all rows; all that break
-- are named, and then the script fails.
--
--     psql -X -d his -f check.sql
--     psql -X -d his -v gapless=0 -f check.sql     # on a standby, whose receipt numbers continue in another place
--
-- It only reads. It uses nothing of the toolkit.

\set ON_ERROR_STOP 1
\if :{?gapless} \else \set gapless 1 \endif

BEGIN ISOLATION LEVEL REPEATABLE READ;
SET LOCAL client_min_messages = warning;

CREATE TEMPORARY TABLE broken (rule text, key text) ON COMMIT DROP;

INSERT INTO broken SELECT 'the lines of a charge sum to its total', c.id
  FROM outpatient.charge AS c LEFT JOIN (SELECT charge_id, sum(amount) AS total FROM outpatient.charge_line GROUP BY 1) AS l ON l.charge_id = c.id
 WHERE c.total IS DISTINCT FROM l.total;
INSERT INTO broken SELECT 'the payments of a charge sum to what was paid', c.id
  FROM outpatient.charge AS c LEFT JOIN (SELECT charge_id, sum(amount) AS paid FROM outpatient.payment GROUP BY 1) AS p ON p.charge_id = c.id
 WHERE c.paid IS DISTINCT FROM p.paid;
INSERT INTO broken SELECT 'the insurance payments of a charge sum to its insurance part', c.id
  FROM outpatient.charge AS c LEFT JOIN (SELECT charge_id, sum(amount) AS paid FROM outpatient.payment WHERE pay_method = 'INSURANCE' GROUP BY 1) AS p ON p.charge_id = c.id
 WHERE c.insurance_paid <> coalesce(p.paid, 0);

INSERT INTO broken SELECT 'a refunded charge has exactly one offset', o.id
  FROM outpatient.charge AS o LEFT JOIN outpatient.charge AS r ON r.refund_of = o.id
 WHERE o.status = 1 OR r.id IS NOT NULL GROUP BY o.id, o.status HAVING o.status <> 1 OR count(r.id) <> 1;
INSERT INTO broken SELECT 'an offset is the negative of its original', r.id
  FROM outpatient.charge AS r JOIN outpatient.charge AS o ON o.id = r.refund_of
 WHERE (r.total, r.discount, r.rounding, r.paid, r.insurance_paid, r.patient_id, r.registration_id)
    <> (-o.total, -o.discount, -o.rounding, -o.paid, -o.insurance_paid, o.patient_id, o.registration_id);
INSERT INTO broken SELECT 'an offset has the lines of its original, negative', coalesce(r.id, o.refund_id)
  FROM (SELECT c.id, c.refund_of, l.line_no, l.item_id, l.price, l.quantity FROM outpatient.charge AS c
          JOIN outpatient.charge_line AS l ON l.charge_id = c.id WHERE c.status = 2) AS r
  FULL JOIN (SELECT c.id AS refund_id, c.refund_of, l.line_no, l.item_id, l.price, l.quantity FROM outpatient.charge AS c
               JOIN outpatient.charge_line AS l ON l.charge_id = c.refund_of WHERE c.status = 2) AS o
    ON o.refund_id = r.id AND o.line_no = r.line_no
 WHERE (r.item_id, r.price, r.quantity) IS DISTINCT FROM (o.item_id, o.price, -o.quantity);

INSERT INTO broken SELECT 'a charge has exactly one receipt that is not void', c.id
  FROM outpatient.charge AS c LEFT JOIN outpatient.receipt AS r ON r.charge_id = c.id AND r.status = 0
 GROUP BY c.id HAVING count(r.charge_id) <> 1;
INSERT INTO broken SELECT 'a printed number lies in its segment', r.segment_id || '/' || r.printed_no
  FROM outpatient.receipt AS r JOIN outpatient.receipt_segment AS s ON s.id = r.segment_id
 WHERE r.printed_no NOT BETWEEN s.start_no AND s.end_no;
\if :gapless
INSERT INTO broken SELECT 'receipt numbers are consecutive up to the counter', n.receipt_no
  FROM (SELECT receipt_no, row_number() OVER (ORDER BY receipt_no) AS place FROM outpatient.charge) AS n WHERE n.receipt_no <> n.place;
INSERT INTO broken SELECT 'receipt numbers are consecutive up to the counter', last_no
  FROM outpatient.receipt_counter WHERE last_no <> (SELECT count(*) FROM outpatient.charge);
\endif

INSERT INTO broken SELECT 'a registration has one charge of its fees', r.id
  FROM outpatient.registration AS r LEFT JOIN outpatient.charge AS c ON c.registration_id = r.id AND c.kind = 'registration' AND c.status <> 2
 GROUP BY r.id HAVING count(c.id) <> 1 OR min(c.total) <> r.fee_total OR min(c.status) <> (r.status = 2)::integer;
INSERT INTO broken SELECT 'an order is charged once if it is paid, and not if it is not', o.id
  FROM outpatient.doctor_order AS o LEFT JOIN outpatient.charge AS c ON c.order_id = o.id AND c.status <> 2
 GROUP BY o.id
HAVING count(c.id) FILTER (WHERE c.status = 0) <> (o.charge_status = 1)::integer OR (count(c.id) = 0) <> (o.charge_status = 0);
-- A line of a paid order may have been refunded alone.
INSERT INTO broken SELECT 'the lines of an order have its charge status', l.order_id || '/' || l.line_no
  FROM outpatient.order_line AS l JOIN outpatient.doctor_order AS o ON o.id = l.order_id
 WHERE l.charge_status <> o.charge_status AND (o.charge_status, l.charge_status) <> (1, 2);
-- Paid by what the patient showed on paper, before the merge brings both together.
INSERT INTO broken SELECT 'what was carried out is paid', id FROM outpatient.doctor_order AS o
 WHERE exec_status = 1 AND charge_status <> 1 AND NOT EXISTS (SELECT FROM desk.proof AS f WHERE f.order_id = o.id AND f.kind = 'paid');

INSERT INTO broken SELECT 'the slots sold and booked are those that are missing', s.id
  FROM outpatient.schedule AS s
 WHERE s.slot_limit - s.slots_left
    <> (SELECT count(*) FROM outpatient.registration AS r WHERE r.schedule_id = s.id AND r.status <> 2)
     + (SELECT count(*) FROM outpatient.appointment AS a WHERE a.schedule_id = s.id AND a.status IN (0, 3));
INSERT INTO broken SELECT 'an appointment that was kept has its registration', a.id
  FROM outpatient.appointment AS a LEFT JOIN outpatient.registration AS r ON r.appointment_id = a.id
 GROUP BY a.id HAVING count(r.id) <> (a.status = 1)::integer;

INSERT INTO broken SELECT 'a batch holds what it received and what moved', b.drug_id || '/' || b.batch_no
  FROM outpatient.drug_batch AS b LEFT JOIN (SELECT drug_id, batch_no, sum(quantity) AS moved FROM outpatient.drug_movement GROUP BY 1, 2) AS m USING (drug_id, batch_no)
 WHERE b.stock <> b.received + coalesce(m.moved, 0);
INSERT INTO broken SELECT 'a paid drug left the stock once, any other not at all', l.order_id || '/' || l.line_no
  FROM outpatient.order_line AS l JOIN base.drug AS d ON d.item_id = l.item_id
  LEFT JOIN (SELECT order_id, line_no, sum(quantity) AS moved FROM outpatient.drug_movement GROUP BY 1, 2) AS m USING (order_id, line_no)
 WHERE coalesce(m.moved, 0) <> CASE WHEN l.charge_status = 1 THEN -l.quantity ELSE 0 END;
INSERT INTO broken SELECT 'a card holds what was paid in and not spent', c.card_no
  FROM outpatient.card AS c LEFT JOIN (SELECT card_no, sum(amount) AS spent FROM outpatient.payment WHERE card_no IS NOT NULL GROUP BY 1) AS p USING (card_no)
 WHERE c.balance <> c.deposited - coalesce(p.spent, 0);

INSERT INTO broken SELECT 'a shift close covers the charges that bear its number', s.id
  FROM outpatient.shift_close AS s LEFT JOIN outpatient.charge AS c ON c.close_id = s.id
 GROUP BY s.id HAVING sum(c.paid) IS DISTINCT FROM s.paid_total OR count(c.id) <> s.charge_count + s.refund_count;
INSERT INTO broken SELECT 'the lines of a shift close sum to it', s.id
  FROM outpatient.shift_close AS s
 WHERE s.paid_total <> coalesce((SELECT sum(amount) FROM outpatient.shift_close_line AS l WHERE l.close_id = s.id AND l.kind = 'pay'), 0);

-- Every foreign key once more: a merge that runs with triggers off does not have them checked by the server.
DO $$
DECLARE
  fk record;
BEGIN
  FOR fk IN
    SELECT c.conname, c.conrelid::regclass AS child, c.confrelid::regclass AS parent,
           string_agg(format('c.%I = p.%I', a.attname, b.attname), ' AND ' ORDER BY k.n) AS joined,
           string_agg(format('c.%I IS NOT NULL', a.attname), ' AND ' ORDER BY k.n) AS filled,
           string_agg(format('c.%I', a.attname), ', ' ORDER BY k.n) AS columns
      FROM pg_catalog.pg_constraint AS c
      CROSS JOIN LATERAL unnest(c.conkey, c.confkey) WITH ORDINALITY AS k(child, parent, n)
      JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.child
      JOIN pg_catalog.pg_attribute AS b ON b.attrelid = c.confrelid AND b.attnum = k.parent
     WHERE c.contype = 'f' AND c.connamespace IN ('base'::regnamespace, 'outpatient'::regnamespace)
     GROUP BY c.oid, c.conname, c.conrelid, c.confrelid
  LOOP
    EXECUTE format('INSERT INTO broken SELECT %L, concat_ws(%L, %s) FROM %s AS c WHERE %s AND NOT EXISTS (SELECT FROM %s AS p WHERE %s)',
                   'foreign key ' || fk.conname, '/', fk.columns, fk.child, fk.filled, fk.parent, fk.joined);
  END LOOP;
END $$;

SELECT rule, count(*) AS rows, (array_agg(key ORDER BY key))[1:5] AS keys FROM broken GROUP BY rule ORDER BY rule;
-- An oversold schedule is no error: two databases may both have sold the last slot. People have to know.
SELECT id AS oversold_schedule, slots_left FROM outpatient.schedule WHERE slots_left < 0 ORDER BY id;

DO $$
DECLARE
  rules bigint := (SELECT count(DISTINCT rule) FROM broken);
BEGIN
  IF rules > 0 THEN
    RAISE EXCEPTION '% rules do not hold (listed above)', rules;
  END IF;
END $$;
COMMIT;
