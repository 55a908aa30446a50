-- Empty staging for a merge: batches, their units, and what is found out about them. No parameters.
DROP TABLE IF EXISTS pg_temp.raw_unit, pg_temp.batch, pg_temp.unit, pg_temp.touch, pg_temp.refer, pg_temp.guarded, pg_temp.edge, pg_temp.multi,
  pg_temp.late, pg_temp.amount, pg_temp.already, pg_temp.given, pg_temp.conflict, pg_temp.displaced, pg_temp.hash;
CREATE TEMPORARY TABLE batch (b integer PRIMARY KEY, event text NOT NULL, epoch bigint NOT NULL, batch bigint NOT NULL, generation bigint NOT NULL);
CREATE TEMPORARY TABLE raw_unit (
  b integer, unit text, generation bigint, xid bigint, last_seq bigint, rows bigint, at timestamptz, "user" text, application text, address text,
  prior text, hash text
);
-- status: new | held | rejected | merged (in this run) | done (before it). prior: what the ledger says of it, NULL when it does not know it.
CREATE TEMPORARY TABLE unit (
  u bigint PRIMARY KEY, b integer NOT NULL, event text NOT NULL, epoch bigint NOT NULL, batch bigint NOT NULL, generation bigint NOT NULL, xid bigint NOT NULL,
  name text NOT NULL, last_seq bigint, rows bigint, at timestamptz, "user" text, application text, address text, prior text, known_hash text, hash text,
  status text NOT NULL DEFAULT 'new', hard boolean NOT NULL DEFAULT false, recorded boolean NOT NULL DEFAULT false, asked boolean NOT NULL DEFAULT false, chunk integer NOT NULL DEFAULT 0, applied boolean NOT NULL DEFAULT false, kind text, reason text, at_table integer, at_seq bigint
);
CREATE TEMPORARY TABLE touch (
  u bigint NOT NULL, seq bigint NOT NULL, rule integer NOT NULL, value bigint NOT NULL, strong boolean NOT NULL, takes boolean NOT NULL, frees boolean NOT NULL
);
CREATE TEMPORARY TABLE refer (
  u bigint NOT NULL, rule integer NOT NULL, value bigint NOT NULL, takes boolean NOT NULL, releases boolean NOT NULL, document boolean NOT NULL, guard boolean NOT NULL
);
CREATE TEMPORARY TABLE guarded (u bigint NOT NULL, rule integer NOT NULL, value bigint NOT NULL, column_name text NOT NULL);
CREATE TEMPORARY TABLE edge (u bigint NOT NULL, on_u bigint NOT NULL, kind text NOT NULL);
CREATE TEMPORARY TABLE amount (u bigint NOT NULL, table_name text NOT NULL, column_name text NOT NULL, amount numeric NOT NULL);
CREATE TEMPORARY TABLE already (u bigint NOT NULL, seq bigint NOT NULL, table_no integer NOT NULL);
CREATE TEMPORARY TABLE given (u bigint NOT NULL, seq bigint NOT NULL, table_no integer NOT NULL, column_name text NOT NULL, emergency text, official text);
CREATE INDEX ON pg_temp.given (u);
CREATE TEMPORARY TABLE hash (b integer NOT NULL, xid bigint NOT NULL, part numeric NOT NULL);
-- take: what a person, or the table's policy, has decided; NULL while nobody has.
CREATE TEMPORARY TABLE conflict (
  u bigint NOT NULL, seq bigint, table_no integer, kind text NOT NULL, rule text NOT NULL, reason text NOT NULL, differ text[] NOT NULL, there text, take text, by_policy boolean NOT NULL DEFAULT false
);
-- What a decision for the standby writes over.
CREATE TEMPORARY TABLE displaced (u bigint NOT NULL, seq bigint NOT NULL, table_no integer NOT NULL, there text);
