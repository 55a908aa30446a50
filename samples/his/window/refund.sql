-- 退费: offsets one earlier charge of the same cashier, in one transaction.
-- pgbench gives client_id and random_seed by itself; psql wants: -v client_id=0 -v random_seed=1
SELECT outpatient.window_refund(:client_id, :random_seed);
