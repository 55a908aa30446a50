-- What the primary is: system identifier, replica, read-only by default, first transaction id it has not given out,
-- and whether a merge ledger, a fence record and its list of events are there. No parameters.
SELECT (SELECT system_identifier::text FROM pg_catalog.pg_control_system()),
       pg_catalog.pg_is_in_recovery(),
       EXISTS (SELECT FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) AS setting
               WHERE s.setrole = 0 AND s.setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
                 AND setting IN ('default_transaction_read_only=on', 'default_transaction_read_only=true')),
       pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text,
       pg_catalog.to_regclass('his_emergency.number_given') IS NOT NULL,
       pg_catalog.to_regclass('his_emergency.fence_part') IS NOT NULL,
       pg_catalog.to_regclass('his_emergency.fence_event') IS NOT NULL;
