-- Gives a role the password verifier of the primary; no log may have it. Parameters: role, verifier.
SET LOCAL log_statement = 'none';
SET LOCAL log_min_duration_statement = -1;
SET LOCAL log_min_duration_sample = -1;
SET LOCAL log_min_error_statement = 'panic';
SET LOCAL log_duration = off;
ALTER ROLE {{ role | id }} PASSWORD {{ verifier | lit }};
