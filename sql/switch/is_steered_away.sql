-- Whether new sessions of this database are read-only by default, and so step over it. $1 database.
SELECT EXISTS (SELECT FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) AS setting
               WHERE s.setrole = 0 AND s.setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = $1)
                 AND setting IN ('default_transaction_read_only=on', 'default_transaction_read_only=true'));
