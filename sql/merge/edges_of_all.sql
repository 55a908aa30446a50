-- Sends all dependence among the staged units, and the order of changes to one row that are no dependence but must not be turned round: of counters and of
-- other columns, and of a guarded column after what was written in view of it. Parameters: key_rules [rule].
COPY (
SELECT u, on_u FROM pg_temp.edge WHERE u <> on_u
UNION
SELECT u, before FROM (
  SELECT t.u, lag(t.u) OVER (PARTITION BY t.rule, t.value ORDER BY t.u, t.seq) AS before
  FROM pg_temp.touch t JOIN (
    SELECT rule, value FROM pg_temp.touch JOIN pg_temp.multi USING (rule, value) WHERE rule = ANY (ARRAY[{{ key_rules | join(", ") }}]::integer[])
    GROUP BY rule, value HAVING bool_or(strong AND NOT takes) AND bool_or(NOT strong)) mixed USING (rule, value)) q
WHERE before <> u
UNION
SELECT min(g.u), r.u FROM pg_temp.refer r JOIN pg_temp.guarded g USING (rule, value) WHERE r.guard AND g.u > r.u GROUP BY r.u, r.rule, r.value
) TO STDOUT
