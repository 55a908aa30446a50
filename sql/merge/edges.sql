-- Who depends on whom among the staged units. Parameters: key_rules [rule].
ANALYZE pg_temp.refer; ANALYZE pg_temp.guarded;
CREATE TEMPORARY TABLE multi AS SELECT rule, value FROM pg_temp.touch GROUP BY rule, value HAVING count(*) > 1;
ANALYZE pg_temp.multi;
-- A touch of a key or unique value depends on the touch before it; one of counters alone only on what made the row.
INSERT INTO pg_temp.edge
SELECT q.u, q.before, CASE WHEN q.rule = ANY (ARRAY[{{ key_rules | join(", ") }}]::integer[]) THEN 'row' ELSE 'value' END
FROM (
  SELECT t.rule, t.u, CASE WHEN t.strong THEN max(t.u) FILTER (WHERE t.strong) OVER w ELSE max(t.u) FILTER (WHERE t.takes) OVER w END AS before
  FROM (SELECT rule, value, u, bool_or(strong) AS strong, bool_or(takes) AS takes FROM pg_temp.touch JOIN pg_temp.multi USING (rule, value) GROUP BY rule, value, u) t
  WINDOW w AS (PARTITION BY t.rule, t.value ORDER BY t.u ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) q
WHERE q.before IS NOT NULL;
-- A reference depends on the unit that made what it references.
INSERT INTO pg_temp.edge
SELECT r.u, max(t.u), 'parent' FROM pg_temp.refer r JOIN pg_temp.touch t USING (rule, value) WHERE r.takes AND t.takes AND t.u < r.u GROUP BY r.u, r.rule, r.value;
-- What takes a referenced row away depends on what took the references to it away.
INSERT INTO pg_temp.edge
SELECT DISTINCT t.u, r.u, 'release' FROM pg_temp.refer r JOIN pg_temp.touch t USING (rule, value) WHERE r.releases AND t.frees AND t.u > r.u;
-- A guarded reference depends on what last changed the guarded columns.
INSERT INTO pg_temp.edge
SELECT r.u, max(g.u), 'guard' FROM pg_temp.refer r JOIN pg_temp.guarded g USING (rule, value) WHERE r.guard AND g.u < r.u GROUP BY r.u, r.rule, r.value;
-- A document holds in both directions.
INSERT INTO pg_temp.edge
SELECT DISTINCT v.u, v.on_u, 'document' FROM pg_temp.refer r JOIN pg_temp.touch t USING (rule, value) CROSS JOIN LATERAL (VALUES (r.u, t.u), (t.u, r.u)) v (u, on_u)
WHERE r.document AND t.strong AND t.u <> r.u;
CREATE INDEX ON pg_temp.edge (on_u);
CREATE INDEX ON pg_temp.edge (u);
ANALYZE pg_temp.edge;
-- Touches that are not the first of their value: what they meet on the primary is what a touch before them leaves there.
CREATE TEMPORARY TABLE late AS
SELECT rule, value, u, seq FROM (
  SELECT t.rule, t.value, t.u, t.seq, row_number() OVER (PARTITION BY t.rule, t.value ORDER BY t.u, t.seq) AS nth
  FROM pg_temp.touch t JOIN pg_temp.multi USING (rule, value) JOIN pg_temp.unit x ON x.u = t.u WHERE x.status <> 'rejected') q
WHERE nth > 1;
CREATE INDEX ON pg_temp.late (u, seq);
CREATE INDEX ON pg_temp.guarded (rule, value);
ANALYZE pg_temp.late;
