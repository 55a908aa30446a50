-- 收费: charges one unpaid doctor's order, in one transaction.
-- pgbench gives client_id and random_seed by itself; psql wants: -v client_id=0 -v random_seed=1
SELECT outpatient.window_charge_order(:client_id, :random_seed);
