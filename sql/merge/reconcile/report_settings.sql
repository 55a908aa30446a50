-- How long one report may take; no report holds up the reconciliation. No parameters.
SET LOCAL statement_timeout = '5min';
