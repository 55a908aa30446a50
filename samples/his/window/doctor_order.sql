-- 开医嘱: a doctor writes one order, so that a long run has something left to charge.
-- pgbench gives client_id and random_seed by itself; psql wants: -v client_id=0 -v random_seed=1
SELECT outpatient.doctor_writes_order(:client_id, :random_seed);
