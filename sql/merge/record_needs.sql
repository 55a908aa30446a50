-- What else there is to write: whether units are held or rejected that are not written yet (or a policy
-- has decided), and the tables with given numbers and the like.
-- No parameters.
SELECT EXISTS (SELECT FROM pg_temp.unit WHERE status IN ('held', 'rejected') AND NOT recorded)
    OR EXISTS (SELECT FROM pg_temp.conflict c JOIN pg_temp.outcome USING (u) WHERE c.by_policy),
  ARRAY(SELECT table_no FROM pg_temp.already JOIN pg_temp.outcome USING (u) UNION SELECT table_no FROM pg_temp.given JOIN pg_temp.outcome USING (u)
        UNION SELECT table_no FROM pg_temp.displaced JOIN pg_temp.outcome USING (u));
