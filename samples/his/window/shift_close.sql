-- 日结: closes the shift of one cashier; stamps every charge that it covers.
-- pgbench gives client_id and random_seed by itself; psql wants: -v client_id=0 -v random_seed=1
SELECT outpatient.window_shift_close(:client_id, :random_seed);
