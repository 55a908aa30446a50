-- Fills one materialized view. Parameters: view (quoted).
REFRESH MATERIALIZED VIEW {{ view }}
