-- Whether a drill's database is there. $1 its name.
SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = $1);
