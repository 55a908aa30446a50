-- Keeps the keys of rows that come, so that they can go again. Parameters: kept (a number), stage, key (columns).
CREATE TABLE his_emergency.kept_{{ kept }}_keys AS SELECT {{ key | ids }} FROM pg_temp.{{ stage | id }}
