-- How the ledger of the primary and that of the snapshot stand to each other: runs that only one of them has, and what each knew last.
-- Parameters: runs (number of the staged merge_run), times [{no, table, column}].
WITH ours AS (SELECT run, started_at FROM his_emergency.merge_run), theirs AS (SELECT run, started_at FROM pg_temp.kept_{{ runs }})
SELECT (SELECT count(*) FROM (SELECT * FROM ours EXCEPT SELECT * FROM theirs) x), (SELECT count(*) FROM (SELECT * FROM theirs EXCEPT SELECT * FROM ours) x),
  greatest({% for t in times %}(SELECT max({{ t.column | id }}) FROM his_emergency.{{ t.table | id }}){{ ", " if not loop.last }}{% endfor %}),
  greatest({% for t in times %}(SELECT max({{ t.column | id }}) FROM pg_temp.kept_{{ t.no }}){{ ", " if not loop.last }}{% endfor %})
