-- The role that the windows log in with, and what it may do. Run after schema.sql, as a superuser or a role that
-- may create roles and owns the schema. It can be run again at any time.
--
-- No password is set here: on a server that asks for one, give it with \password his_app.

\set ON_ERROR_STOP 1
BEGIN;

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'his_app') THEN
    CREATE ROLE his_app LOGIN;
    COMMENT ON ROLE his_app IS '门诊窗口客户端';
  END IF;
END $$;

GRANT USAGE ON SCHEMA base, outpatient TO his_app;
GRANT SELECT ON ALL TABLES IN SCHEMA base, outpatient TO his_app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA base, outpatient TO his_app;
GRANT INSERT ON base.login_log TO his_app;

-- No DELETE anywhere: a window corrects by offsetting. Charges may only be marked, never re-priced.
GRANT INSERT, UPDATE ON
    outpatient.patient, outpatient.card, outpatient.appointment, outpatient.registration,
    outpatient.doctor_order, outpatient.order_line
  TO his_app;
GRANT INSERT ON
    outpatient.charge, outpatient.charge_line, outpatient.payment, outpatient.receipt,
    outpatient.drug_movement, outpatient.audit_log, outpatient.shift_close, outpatient.shift_close_line
  TO his_app;
GRANT UPDATE (status, close_id) ON outpatient.charge TO his_app;
GRANT UPDATE (status, reprints, voided_at) ON outpatient.receipt TO his_app;
GRANT UPDATE (slots_left, current_no) ON outpatient.schedule TO his_app;
GRANT UPDATE (stock) ON outpatient.drug_batch TO his_app;
GRANT UPDATE (current_no, status) ON outpatient.receipt_segment TO his_app;
GRANT UPDATE (last_no) ON outpatient.receipt_counter TO his_app;

GRANT USAGE ON ALL SEQUENCES IN SCHEMA outpatient TO his_app;

-- his-desk: the contract, and none of the tables or functions behind it.
GRANT USAGE ON SCHEMA desk TO his_app;
DO $$
DECLARE
  act regprocedure;
BEGIN
  FOR act IN SELECT oid FROM pg_catalog.pg_proc WHERE pronamespace = 'desk'::regnamespace AND prosecdef LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO his_app', act);
  END LOOP;
END $$;

COMMIT;
