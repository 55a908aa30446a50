-- Makes units of the staged rows; tables that others refer to come first. Parameters: tables [{no, rank}].
INSERT INTO pg_temp.raw_unit (b, generation, xid, last_seq, rows, at, application)
SELECT 1, 0, xid, min(rank), count(*), min(at), 'his-merge backfill' FROM (
{% for t in tables %}
  SELECT xid, at, {{ t.rank }} AS rank FROM pg_temp.raw_{{ t.no }}{{ " UNION ALL" if not loop.last }}
{% endfor %}
) r GROUP BY xid;
