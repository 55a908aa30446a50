-- Staging of a batch's units and of what they touch. No parameters.
DROP TABLE IF EXISTS pg_temp.stage_unit, pg_temp.touch, pg_temp.read_key, pg_temp.edge, pg_temp.stage_money, pg_temp.work, pg_temp.already, pg_temp.given;
CREATE TEMPORARY TABLE stage_unit (
  unit text, generation bigint, xid bigint PRIMARY KEY, last_seq bigint, rows bigint, at timestamptz, "user" text, application text, address text,
  pos bigint, status text NOT NULL DEFAULT 'new', applied boolean NOT NULL DEFAULT false,
  kind text, reason text, at_table integer, at_seq bigint
);
CREATE TEMPORARY TABLE touch (
  xid bigint NOT NULL, seq bigint NOT NULL, table_no integer NOT NULL, rule text NOT NULL, value text NOT NULL, weak boolean NOT NULL, creates boolean NOT NULL
);
CREATE TEMPORARY TABLE read_key (xid bigint NOT NULL, table_no integer NOT NULL, table_name text NOT NULL, rule text NOT NULL, value text NOT NULL, document boolean NOT NULL);
CREATE TEMPORARY TABLE edge (xid bigint NOT NULL, on_xid bigint NOT NULL);
CREATE TEMPORARY TABLE stage_money (xid bigint NOT NULL, table_name text NOT NULL, column_name text NOT NULL, amount numeric NOT NULL);
CREATE TEMPORARY TABLE work (xid bigint NOT NULL, seq bigint NOT NULL, table_no integer NOT NULL, replay boolean NOT NULL);
CREATE TEMPORARY TABLE already (xid bigint NOT NULL, table_no integer NOT NULL, seq bigint NOT NULL);
CREATE TEMPORARY TABLE given (xid bigint NOT NULL, table_no integer NOT NULL, seq bigint NOT NULL, column_name text NOT NULL, emergency text, official text);
