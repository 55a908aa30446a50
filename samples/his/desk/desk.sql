-- The contract of his-desk for the reference HIS, loaded by schema.sql; his-desk(5) says what each function wants and gives.
\ir common.sql
\ir tables.sql
\ir session.sql
\ir patients.sql
\ir money.sql
\ir refund.sql
\ir registration.sql
\ir charge.sql
\ir receipts.sql
\ir departments.sql
\ir shift.sql

-- Whoever may use a window calls the contract and reaches none of the tables behind it.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA desk FROM PUBLIC;
