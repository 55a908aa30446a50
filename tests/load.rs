//! Loading a snapshot into a generation: what arrives, what is refused, and what a killed run leaves behind.

use crate::support::workplace::DB;
use crate::support::{Cluster, Program, Proxy, Workplace, assert_same_tables, real_his, wait_until};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A schema with what real ones have; roles are made by `Hospital::new`.
const SCHEMA: &str = r#"
CREATE EXTENSION citext; CREATE EXTENSION pgcrypto;
CREATE SCHEMA op AUTHORIZATION his_owner; CREATE SCHEMA "门诊" AUTHORIZATION his_owner;
ALTER DATABASE his SET search_path = op, public; ALTER DATABASE his SET TimeZone = 'Asia/Shanghai';
ALTER ROLE his_app IN DATABASE his SET work_mem = '16MB';
ALTER ROLE his_app IN DATABASE his SET default_transaction_read_only = off;
SET ROLE his_owner; SET search_path = op, public;
CREATE TYPE sex AS ENUM ('男', '女', '未知');
CREATE DOMAIN cents AS numeric(14,4) CHECK (VALUE > -1000000);
CREATE FUNCTION initial(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper(left($1, 1))';
-- Found only by the search path of the database:
CREATE FUNCTION tag(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT initial($1) || '#' $$;
CREATE TABLE patient (
  patient_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, email citext, s sex DEFAULT '未知',
  born date, name_up text GENERATED ALWAYS AS (upper(name)) STORED, tagged text GENERATED ALWAYS AS (tag(name)) STORED,
  photo bytea, referrer bigint REFERENCES patient DEFERRABLE INITIALLY DEFERRED, uid uuid DEFAULT gen_random_uuid());
CREATE UNIQUE INDEX ON patient (email) WHERE email IS NOT NULL;
CREATE TABLE tagged (id int PRIMARY KEY, name text, patient_id bigint REFERENCES patient);
CREATE INDEX ON tagged (tag(name));
CREATE TABLE dept (dept_id int PRIMARY KEY, name text, head int);
CREATE TABLE staff (staff_id serial PRIMARY KEY, name text, dept_id int REFERENCES dept DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE dept ADD CONSTRAINT dept_head FOREIGN KEY (head) REFERENCES staff DEFERRABLE INITIALLY DEFERRED;
COMMENT ON CONSTRAINT dept_head ON dept IS '科主任';
CREATE TABLE charge (charge_id bigserial PRIMARY KEY, patient_id bigint NOT NULL REFERENCES patient, total cents NOT NULL,
  paid_at timestamptz DEFAULT now(), local_at timestamp DEFAULT localtimestamp, cashier int REFERENCES staff);
CREATE TABLE charge_line (charge_id bigint REFERENCES charge ON DELETE CASCADE, line int, item text, amount cents, PRIMARY KEY (charge_id, line));
CREATE TABLE audit (id bigint, at date NOT NULL, what text, charge_id bigint, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE audit_2025 PARTITION OF audit FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE audit_2026 (what text, gone int, charge_id bigint, at date NOT NULL, id bigint NOT NULL);
ALTER TABLE audit_2026 DROP COLUMN gone;
ALTER TABLE audit ATTACH PARTITION audit_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
ALTER TABLE audit ADD CONSTRAINT audit_charge FOREIGN KEY (charge_id) REFERENCES charge;
CREATE UNLOGGED TABLE queue_now (id int PRIMARY KEY, called boolean);
CREATE TABLE "门诊"."挂号单 Order" ("ID" int PRIMARY KEY, "order" text, "Time""x" timestamptz, n float8, j json, arr int[], m money, ts timestamp);
CREATE TABLE skd (skd_id int PRIMARY KEY, slots_left int, current_no int, seen int DEFAULT 0);
CREATE TABLE secret (id int PRIMARY KEY, owner_name text);
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secret TO his_report USING (owner_name = current_user);
CREATE TABLE not_downloaded (id int PRIMARY KEY, x text);
CREATE VIEW day_total AS SELECT paid_at::date AS d, sum(total) AS t FROM charge GROUP BY 1;
CREATE VIEW by_key AS SELECT c.* FROM charge c GROUP BY charge_id;
CREATE MATERIALIZED VIEW z_base AS SELECT patient_id, sum(total) AS t FROM charge GROUP BY 1;
CREATE MATERIALIZED VIEW a_top AS SELECT count(*) AS n FROM z_base;
CREATE MATERIALIZED VIEW of_key AS SELECT charge_id, total FROM charge GROUP BY charge_id;
CREATE UNIQUE INDEX of_key_id ON of_key (charge_id);
CREATE FUNCTION count_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.seen := OLD.seen + 1; RETURN NEW; END $$;
CREATE TRIGGER count_update BEFORE UPDATE ON skd FOR EACH ROW EXECUTE FUNCTION count_update();
CREATE RULE keep AS ON DELETE TO dept DO INSTEAD NOTHING;
CREATE SEQUENCE receipt_seq START 1000;
INSERT INTO dept VALUES (1, '内科', NULL), (2, '外科', NULL);
INSERT INTO staff (name, dept_id) VALUES ('王', 1), ('李', 2);
UPDATE dept SET head = dept_id;
INSERT INTO patient (name, email, born, photo, referrer)
  SELECT '病人' || g || E'\n"q",x', CASE WHEN g % 3 = 0 THEN 'A' || g || '@x.cn' END, date '1990-01-01' + g, '\x00ff', CASE WHEN g > 1 THEN g - 1 END
  FROM generate_series(1, 300) g;
INSERT INTO charge (patient_id, total, cashier) SELECT 1 + g % 300, g * 0.0001, 1 + g % 2 FROM generate_series(1, 1000) g;
INSERT INTO charge_line SELECT charge_id, 1, '', total FROM charge;
INSERT INTO audit SELECT g, date '2025-06-01' + g, 'w' || g, g FROM generate_series(1, 500) g;
INSERT INTO queue_now VALUES (1, false);
INSERT INTO tagged SELECT g, 'n' || g, g FROM generate_series(1, 100) g;
INSERT INTO "门诊"."挂号单 Order" VALUES (1, '', now(), 'NaN', '{"a": 1,  "a":2}', '[2:4]={1,NULL,3}', 12.34, '-infinity'),
  (2, NULL, NULL, '-0', NULL, '{}', NULL, NULL), (3, E'\\.', NULL, 0.1, '1', NULL, -1, '0044-03-15 BC');
INSERT INTO skd VALUES (1, 10, 5), (2, 20, 7);
INSERT INTO secret VALUES (1, 'his_report'), (2, 'x');
INSERT INTO not_downloaded VALUES (1, 'x');
SELECT nextval('receipt_seq');
REFRESH MATERIALIZED VIEW z_base; REFRESH MATERIALIZED VIEW a_top; REFRESH MATERIALIZED VIEW of_key;
GRANT ALL ON ALL TABLES IN SCHEMA op TO his_app;
GRANT USAGE ON SCHEMA op TO his_report; GRANT SELECT ON secret TO his_report;
RESET ROLE;
CREATE FUNCTION public.ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER "auditDDL" ON ddl_command_end EXECUTE FUNCTION public.ddl();
COMMENT ON EVENT TRIGGER "auditDDL" IS 'x';
"#;

const TABLES: &str = r#"
[[table]]
name = "op.patient"
capture = true
omit = ["photo"]
[[table]]
name = "op.dept"
[[table]]
name = "op.tagged"
[[table]]
name = "op.staff"
[[table]]
name = "op.charge"
capture = true
money = ["total"]
[[table]]
name = "op.charge_line"
capture = true
[[table]]
name = "op.audit"
capture = true
[[table]]
name = "op.queue_now"
scratch = true
[[table]]
name = '"门诊"."挂号单 Order"'
capture = true
[[table]]
name = "op.skd"
capture = true
counter = ["slots_left"]
[[table]]
name = "op.secret"
[[numbers]]
sequence = "op.charge_charge_id_seq"
block = [900000000, 900999999]
[[numbers]]
column = "op.skd.current_no"
jump = 500
"#;

/// Not compared: what is not downloaded, and a table that can only be read with the search path of its database.
const LEFT_OUT: [&str; 4] = ["op.patient.photo", "op.skd.current_no", "op.not_downloaded", "op.tagged"];

/// A primary with a HIS, an empty standby server, and a profile for both.
pub struct Hospital {
    pub primary: Cluster,
    pub standby: Cluster,
    pub work: Workplace,
}

impl Hospital {
    fn new() -> Hospital {
        let (primary, standby) = Cluster::pair();
        primary.execute(
            "postgres",
            "CREATE ROLE his_owner; CREATE ROLE his_app LOGIN PASSWORD 'secret of the windows'; CREATE ROLE his_report LOGIN;
             GRANT his_owner TO his_app; ALTER ROLE his_app SET statement_timeout = '60s'",
        );
        primary.execute("postgres", "CREATE DATABASE his OWNER his_owner");
        primary.execute(DB, SCHEMA);
        let mut work = Workplace::new(&primary, &standby, TABLES);
        work.set("standby", "window_roles", "[\"his_app\"]");
        Hospital { primary, standby, work }
    }

    /// A smaller one: table `t` (id, v) with so many rows, captured, a block on its sequence.
    pub fn small(rows: u32) -> Hospital {
        let (primary, standby) = Cluster::pair();
        primary.create_database(DB);
        primary.execute(DB, &format!("CREATE TABLE t (id bigserial PRIMARY KEY, v text); CREATE TABLE other (id int PRIMARY KEY); INSERT INTO t (v) SELECT 'v' || g FROM generate_series(1, {rows}) g"));
        let tables = "[[table]]\nname = \"public.t\"\ncapture = true\n[[numbers]]\nsequence = \"public.t_id_seq\"\nblock = [5000000, 5999999]\n";
        let work = Workplace::new(&primary, &standby, tables);
        Hospital { primary, standby, work }
    }

    pub fn snapshot(&self) -> String {
        self.work.json(0, "his-snapshot", &[])["snapshot"].as_str().expect("an id").to_owned()
    }

    pub fn load(&self) -> Value {
        self.work.json(0, "his-load-standby", &[])
    }

    /// A load that is refused or fails, with words of its message and of its hint; and nothing new is there after it.
    #[track_caller]
    fn refused(&self, code: i32, args: &[&str], says: &str, hint: &str) {
        let before = self.databases();
        let ran = self.work.run("his-load-standby", args).expect(code).says(says);
        assert!(ran.hint().contains(hint), "HINT: {}\nexpected: {hint}", ran.hint());
        assert_eq!(self.databases(), before);
    }

    pub fn databases(&self) -> Vec<String> {
        self.standby.rows("postgres", "SELECT datname FROM pg_database WHERE datname ~ '^his' ORDER BY 1")
    }

    /// `number state` of each generation.
    fn states(&self) -> Vec<String> {
        let json = self.work.json(0, "his-load-standby", &["list"]);
        let list = json["generations"].as_array().expect("a list");
        list.iter()
            .map(|g| {
                format!(
                    "{} {}{}",
                    g["generation"],
                    g["state"].as_str().unwrap_or("?"),
                    if g["next"] == true { " next" } else { "" }
                )
            })
            .collect()
    }

    fn opened(&self, db: &str) {
        self.write(db, "UPDATE his_emergency.generation SET opened_event = '01-0001'");
        let mut client = self.standby.client(db);
        client.batch_execute("SET default_transaction_read_only = off").expect("it can be set");
        his_emergency::standby::open(&mut client, 1).expect("the gate opens");
    }

    fn closed(&self, db: &str) {
        self.write(db, "SELECT setval('his_emergency.gate', 0)");
    }

    /// Steps over the read-only default of a standby database.
    fn write(&self, db: &str, sql: &str) {
        self.standby.execute(db, &format!("{WRITING}; {sql}"));
    }

    /// The next number of a sequence there, which is used up by that.
    fn next(&self, db: &str) -> String {
        self.standby.psql(db, "BEGIN READ WRITE; SELECT nextval('t_id_seq'); COMMIT")
    }
}

#[test]
fn a_generation_has_everything_the_primary_has_but_what_it_says_it_leaves_out() {
    let h = Hospital::new();
    h.work.run("his-load-standby", &["init"]).expect(0);
    let id = h.snapshot();
    let loaded = h.load();
    assert_eq!(loaded["snapshot"], json!(id));
    assert_eq!(loaded["generation"], 1);
    assert_eq!(loaded["database"], "his_g1");
    assert_eq!((&loaded["verified"], &loaded["new"], &loaded["dangling"]), (&json!(true), &json!(true), &json!([])));
    assert_eq!(loaded["rows"], 300 + 2 + 100 + 2 + 1000 + 1000 + 500 + 1 + 3 + 2 + 2);
    assert_eq!(
        loaded["left_out"],
        json!(["event trigger auditDDL", "setting default_transaction_read_only of role his_app"])
    );
    assert_same_tables((&h.primary, DB), (&h.standby, "his_g1"), &LEFT_OUT);
    let standby = |sql: &str| h.standby.rows("his_g1", sql);
    assert_eq!(standby("SELECT count(*) FROM op.not_downloaded"), ["0"]);
    assert_eq!(standby("SELECT current_no, seen FROM op.skd ORDER BY skd_id"), ["505|0", "507|0"]);
    let objects = "SELECT kind, name FROM (
        SELECT 'relation ' || relkind::text AS kind, relname AS name FROM pg_class WHERE relnamespace IN ('op'::regnamespace, '门诊'::regnamespace)
        UNION ALL SELECT 'index', indexdef FROM pg_indexes WHERE schemaname = 'op'
        UNION ALL SELECT 'constraint', conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'op'::regnamespace
        UNION ALL SELECT 'comment', obj_description(oid, 'pg_constraint') FROM pg_constraint
        UNION ALL SELECT 'trigger', tgname FROM pg_trigger WHERE NOT tgisinternal AND tgname !~ '^!'
        UNION ALL SELECT 'rule', rulename FROM pg_rules WHERE schemaname = 'op'
        UNION ALL SELECT 'function', proname::text FROM pg_proc WHERE pronamespace = 'op'::regnamespace
        UNION ALL SELECT 'extension', extname FROM pg_extension
        UNION ALL SELECT 'type', typname || enum_range(NULL::op.sex)::text FROM pg_type WHERE typname = 'sex'
      ) o WHERE name NOT IN ('his_emergency_owner') ORDER BY 1, 2";
    assert_eq!(standby(objects), h.primary.rows(DB, objects));
    for view in [
        "SELECT * FROM op.day_total",
        "SELECT * FROM op.z_base ORDER BY 1",
        "SELECT * FROM op.a_top",
        "SELECT * FROM op.of_key ORDER BY 1",
    ] {
        assert_eq!(standby(view), h.primary.rows(DB, view), "{view}");
    }
    let tagged = "SELECT id, name, tag(name) FROM tagged ORDER BY id";
    assert_eq!(standby(tagged), h.primary.rows(DB, tagged));
    assert_eq!(standby("SHOW search_path"), ["op, public"]);
    assert_eq!(standby("SHOW TimeZone"), ["Asia/Shanghai"]);
    assert_eq!(standby("SHOW default_transaction_read_only"), ["on"]);
    assert_eq!(
        standby(
            "SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE datname = 'his_g1' AND setrole <> 0"
        ),
        ["{work_mem=16MB}"]
    );
    assert_eq!(standby("SELECT relpersistence FROM pg_class WHERE relname = 'queue_now'"), ["p"]);
    assert_eq!(
        standby(
            "BEGIN READ WRITE; SELECT nextval('op.receipt_seq'), nextval('op.staff_staff_id_seq'), nextval('op.charge_charge_id_seq')"
        ),
        ["1001|3|900000000"]
    );
    assert_eq!(
        standby(
            "SELECT data_type, min_value, max_value, start_value, cycle FROM pg_sequences WHERE sequencename = 'charge_charge_id_seq'"
        ),
        ["bigint|900000000|900999999|900000000|f"]
    );
}

#[test]
fn window_roles_log_in_with_the_primarys_passwords_and_own_no_tables() {
    let h = Hospital::new();
    h.work.run("his-load-standby", &["init"]).expect(0);
    h.snapshot();
    h.load();
    let roles = "SELECT rolname, rolcanlogin, rolsuper FROM pg_roles WHERE rolname ~ '^his_' ORDER BY 1";
    assert_eq!(h.standby.rows("postgres", roles), ["his_app|t|f", "his_owner|f|f", "his_report|f|f"]);
    let verifier =
        "SELECT rolpassword, pg_has_role('his_app', 'his_owner', 'MEMBER') FROM pg_authid WHERE rolname = 'his_app'";
    assert_eq!(h.standby.rows("postgres", verifier), h.primary.rows("postgres", verifier));
    assert_eq!(
        h.standby.rows("postgres", "SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = 0"),
        ["{statement_timeout=60s}"]
    );
    assert!(!h.standby.log().contains("SCRAM-SHA-256"), "a verifier is in the log");
    let owned = "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE relkind IN ('r', 'p', 'S') AND r.rolname ~ '^his_'";
    assert_eq!(h.standby.rows("his_g1", owned), ["0"]);
    let mut window = h.standby.connect("his_app", "his_g1").expect("the window logs in");
    // Rows that the owner saw he still sees, and a role under a policy sees only its own.
    assert_eq!(window.query("SELECT FROM op.secret", &[]).expect("he may").len(), 2);
    h.standby.execute("postgres", "ALTER ROLE his_report LOGIN");
    let mut report = h.standby.connect("his_report", "his_g1").expect("the report logs in");
    assert_eq!(report.query("SELECT FROM op.secret", &[]).expect("it may").len(), 1);
}

#[test]
fn init_run_twice_has_nothing_to_do_and_a_dry_run_makes_nothing() {
    let h = Hospital::new();
    let plan = h.work.json(0, "his-load-standby", &["init", "--dry-run"]);
    assert_eq!(plan["created"], true);
    assert_eq!(h.databases(), [""; 0]);
    assert_eq!(h.standby.value("postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'his_app'"), "0");
    let made = h.work.json(0, "his-load-standby", &["init"]);
    assert_eq!(made["done"], plan["done"]);
    assert_eq!(h.databases(), ["his"]);
    assert_eq!(h.standby.value(DB, "SHOW default_transaction_read_only"), "on");
    let again = h.work.run("his-load-standby", &["init"]).expect(0).says("nothing to do");
    assert_eq!(again.stderr, "");
    assert_eq!(h.states(), ["0 closed"]);
    // What somebody has taken away comes back.
    h.standby.execute("postgres", "ALTER ROLE his_app NOLOGIN; REVOKE CONNECT ON DATABASE his FROM his_app; ALTER DATABASE his RESET default_transaction_read_only");
    let mended = h.work.json(0, "his-load-standby", &["init"]);
    assert_eq!(mended["done"].as_array().map(Vec::len), Some(3), "{mended}");
    h.work.run("his-load-standby", &["init"]).expect(0).says("nothing to do");
}

#[test]
fn init_takes_an_empty_database_over_and_refuses_one_that_is_not_ours() {
    let h = Hospital::small(1);
    h.standby.create_database(DB);
    h.work.run("his-load-standby", &["init"]).expect(0).says("was empty");
    h.work.run("his-load-standby", &["init"]).expect(0).says("nothing to do");
    h.standby.execute("postgres", "DROP DATABASE his");
    h.standby.create_database(DB);
    h.standby.execute(DB, "CREATE TABLE theirs (a int)");
    let ran = h.work.run("his-load-standby", &["init"]).expect(4).says("is not of this toolkit and holds 1 tables");
    assert!(ran.hint().contains("[standby] url"), "{}", ran.hint());
    assert_eq!(h.standby.value(DB, "SELECT to_regnamespace('his_emergency') IS NULL"), "t");
}

#[test]
fn init_says_which_passwords_the_dba_must_set() {
    let mut h = Hospital::new();
    h.primary.stop_fast();
    let made =
        h.work.run("his-load-standby", &["init"]).expect(0).says("the primary cannot be asked for the passwords");
    assert!(made.stdout.contains("the role 'his_app' has no password on the standby"), "{}", made.stdout);
    h.primary.start_again();
    // A role on the primary that may not read verifiers.
    h.primary.execute("postgres", "CREATE ROLE reader LOGIN");
    let url = format!("\"{}\"", h.primary.url_as("reader", DB));
    h.work.set("primary", "url", &url);
    let made = h.work.json(0, "his-load-standby", &["init"]);
    assert_eq!(made["passwords_missing"], json!(["his_app"]));
}

#[test]
fn a_server_that_cannot_carry_a_standby_is_refused() {
    let mut h = Hospital::small(1);
    h.snapshot();
    h.standby.execute("postgres", "CREATE ROLE weak LOGIN CREATEDB");
    let url = format!("\"{}\"", h.standby.url_as("weak", DB));
    let strong = format!("\"{}\"", h.standby.url(DB));
    h.work.set("standby", "url", &url);
    h.refused(4, &["init"], "the role 'weak' is no superuser there", "ALTER ROLE \"weak\" SUPERUSER");
    h.refused(4, &[], "the role 'weak' is no superuser there", "ALTER ROLE \"weak\" SUPERUSER");
    h.work.set("standby", "url", &strong);
    h.standby.execute("postgres", "ALTER SYSTEM SET max_prepared_transactions = 5");
    h.standby.stop_fast();
    h.standby.start_again();
    h.refused(4, &["init"], "its max_prepared_transactions is 5 (expected 0)", "max_prepared_transactions = 0");
    h.refused(4, &[], "its max_prepared_transactions is 5 (expected 0)", "max_prepared_transactions = 0");
}

#[test]
fn p6_nothing_open_is_thrown_away_a_load_refuses_while_the_standby_is_open_or_holds_unexported_units() {
    let h = Hospital::small(10);
    h.work.run("his-load-standby", &["init"]).expect(0);
    h.snapshot();
    h.load();
    h.opened("his_g1");
    h.write("his_g1", "INSERT INTO t (v) VALUES ('new')");
    h.snapshot();
    h.refused(4, &[], "the standby is open", "his-switch primary");
    h.refused(4, &["rollback"], "the standby is open", "his-switch primary");
    h.standby.stop_immediate();
    h.standby.start_again();
    assert_eq!(h.states(), ["0 closed", "1 died open next"]);
    h.refused(4, &[], "was restarted while it was open", "his-switch standby");
    h.closed("his_g1");
    assert_eq!(h.states(), ["0 closed", "1 written next"]);
    h.refused(4, &[], "holds 1 units that are in no batch yet", "his-export-queue");
    h.refused(4, &["rollback"], "holds 1 units that are in no batch yet", "his-export-queue");
    // Marked as exported, but the batch is not there: a moment that a killed export leaves behind.
    h.write(
        "his_g1",
        "INSERT INTO his_emergency.exported SELECT xid, '01-0001', 1 FROM his_emergency.unit;
        INSERT INTO his_emergency.batch VALUES ('01-0001', 1, '{}', 'ab')",
    );
    h.refused(
        4,
        &[],
        "batch 1 of event '01-0001', made of generation 1, is not whole in the store",
        "his-export-queue",
    );
}

const LEDGER: &str = include_str!("../sql/merge/ledger.sql");

#[test]
fn p6_nothing_open_is_thrown_away_a_snapshot_older_than_the_last_merge_is_refused_and_so_is_going_back_to_one() {
    let h = Hospital::small(10);
    let old = h.snapshot();
    h.load();
    h.primary.execute(DB, LEDGER);
    let merged = "INSERT INTO his_emergency.merge_run (event, by, host) VALUES ('01-0001', 'x', 'x')";
    h.primary.execute(DB, merged);
    h.standby.execute("postgres", "DROP DATABASE his_g1");
    h.refused(4, &[], "its data is older than the last merge (it knows of merge run 0, the last is 1)", "his-snapshot");
    h.refused(4, &[&old], "older than the last merge", "his-snapshot");
    h.snapshot();
    assert_eq!(h.load()["generation"], 2);
    h.snapshot();
    assert_eq!(h.load()["generation"], 3);
    h.primary.execute(DB, merged);
    h.snapshot();
    assert_eq!(h.load()["generation"], 4);
    h.refused(4, &["rollback"], "it knows of merge run 1, the last is 2", "his-snapshot");
    // With the primary down, what the store remembers counts.
    let id = h.snapshot();
    h.primary.stop_fast();
    let state = h.work.store().join("state.json");
    let mut remembered: Value = serde_json::from_slice(&fs::read(&state).expect("a state")).expect("JSON");
    remembered["merge_run"] = json!(7);
    fs::write(&state, remembered.to_string()).expect("it can be written");
    h.refused(4, &[&id], "it knows of merge run 2, the last is 7", "his-snapshot");
}

#[test]
fn a_snapshot_in_which_a_table_has_shrunken_is_refused_until_that_is_accepted() {
    let mut h = Hospital::small(100);
    h.snapshot();
    h.load();
    h.primary.execute(DB, "DELETE FROM t WHERE id <= 20");
    h.snapshot();
    assert_eq!(h.load()["generation"], 2, "20 % is the limit itself");
    h.primary.execute(DB, "DELETE FROM t WHERE id <= 37");
    h.snapshot();
    h.refused(
        4,
        &[],
        "'public.t' has 63 rows, 21.2 % fewer than the 80 before (max_shrink is 20 %)",
        "--accept-shrink",
    );
    // Compared with the generation itself when its snapshot is gone.
    let json = h.work.json(0, "his-load-standby", &["list"]);
    let before = json["generations"]
        .as_array()
        .and_then(|g| g.last())
        .and_then(|g| g["snapshot"].as_str())
        .expect("a snapshot")
        .to_owned();
    fs::remove_dir_all(h.work.store().join("snapshots").join(before)).expect("it was there");
    h.refused(4, &[], "'public.t' has 63 rows, 21.2 % fewer than the 80 before", "--accept-shrink");
    h.work.run("his-load-standby", &["--accept-shrink"]).expect(0).says("accepted by --accept-shrink");
    h.primary.execute(DB, "DELETE FROM t WHERE id <= 60");
    h.snapshot();
    h.work.set("limits", "max_shrink", "90");
    h.load();
}

#[test]
fn a_snapshot_in_which_most_rows_of_a_table_are_changed_is_refused_until_that_is_accepted() {
    let mut h = Hospital::small(100);
    h.snapshot();
    h.load();
    h.primary.execute(
        DB,
        "UPDATE t SET v = v || '!' WHERE id <= 50; INSERT INTO t (v) SELECT 'more' FROM generate_series(1, 400)",
    );
    h.snapshot();
    assert_eq!(h.load()["generation"], 2, "half of the rows before is the limit itself");
    h.primary.execute(DB, "UPDATE t SET v = encode(sha256(v::bytea), 'hex') WHERE id <= 251");
    h.snapshot();
    h.refused(
        4,
        &[],
        "of 'public.t' 50.2 % of the rows before are gone or changed (251 of 500 compared) (max_change is 50 %)",
        "--accept-change",
    );
    // A counter that every row moves says nothing, and neither does a new column.
    h.work.edit(|p| {
        p.tables("[[table]]\nname = \"public.t\"\ncounter = [\"v\"]\n");
    });
    h.load();
    h.primary.execute(DB, "ALTER TABLE t ADD COLUMN w int DEFAULT 7");
    h.work.edit(|p| {
        p.tables("[[table]]\nname = \"public.t\"\n");
    });
    h.snapshot();
    h.load();
    h.primary.execute(DB, "UPDATE t SET v = 'x'");
    h.snapshot();
    h.refused(4, &[], "100.0 %", "--accept-change");
    h.work.run("his-load-standby", &["--accept-change"]).expect(0);
}

#[test]
fn foreign_keys_that_a_filter_leaves_dangling_are_named_and_still_guard_new_rows() {
    let mut h = Hospital::new();
    let filtered = TABLES.replace("money = [\"total\"]", "money = [\"total\"]\nwhere = \"charge_id > 100\"");
    h.work.edit(|p| {
        p.tables(&filtered);
    });
    h.snapshot();
    let ran = h.work.program("his-load-standby", &["--json"]).run().expect(0);
    let dangling = ran.json()["dangling"].clone();
    assert_eq!(
        dangling,
        json!([
            {"table": "op.audit", "constraint": "audit_charge", "left_out": true},
            {"table": "op.charge_line", "constraint": "charge_line_charge_id_fkey", "left_out": false}
        ])
    );
    assert!(
        ran.stderr.contains("WARNING: foreign key 'charge_line_charge_id_fkey' of 'op.charge_line' does not hold"),
        "{}",
        ran.stderr
    );
    let keys = "SELECT conname, convalidated FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND connamespace = 'op'::regnamespace AND (NOT convalidated OR conname = 'audit_charge')";
    assert_eq!(h.standby.rows("his_g1", keys), ["charge_line_charge_id_fkey|f"]);
    h.opened("his_g1");
    let refused = h
        .standby
        .client("his_g1")
        .batch_execute("BEGIN READ WRITE; INSERT INTO op.charge_line VALUES (1, 2, 'x', 1)")
        .expect_err("it guards");
    assert_eq!(refused.code().map(postgres::error::SqlState::code), Some("23503"));
}

/// What any client can say to a database that is read-only by default.
const WRITING: &str = "SET transaction_read_only = off";

/// The snapshot's directory.
fn dir_of(h: &Hospital, id: &str) -> PathBuf {
    h.work.store().join("snapshots").join(id)
}

#[test]
fn p4_damage_is_seen_a_snapshot_with_a_flipped_missing_or_swapped_file_is_never_loaded() {
    let h = Hospital::small(10);
    h.work.run("his-load-standby", &["init"]).expect(0);
    let id = h.snapshot();
    let dir = dir_of(&h, &id);
    let mut files: Vec<PathBuf> = ["manifest.json", "SHA256SUMS", "schema.dump"].map(|f| dir.join(f)).to_vec();
    files.extend(fs::read_dir(dir.join("data")).expect("data").map(|e| e.expect("an entry").path()));
    for file in &files {
        let sound = fs::read(file).expect("it is there");
        let mut flipped = sound.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        fs::write(file, &flipped).expect("it can be written");
        h.refused(5, &[], "cannot", "");
        fs::remove_file(file).expect("it is there");
        h.refused(5, &[], "cannot", "");
        fs::write(file, &sound).expect("it can be written");
    }
    let (a, b) = (dir.join("schema.dump"), &files[3]);
    let between = dir.join("../between");
    for (from, to) in [(a.as_path(), between.as_path()), (b, &a), (&between, b)] {
        fs::rename(from, to).expect("it can be renamed");
    }
    h.refused(5, &[], "cannot", "");
    for (from, to) in [(a.as_path(), between.as_path()), (b, &a), (&between, b)] {
        fs::rename(from, to).expect("it can be renamed");
    }
    fs::write(dir.join("extra"), "x").expect("it can be written");
    h.refused(5, &[], "not listed", "another copy");
    fs::remove_file(dir.join("extra")).expect("it is there");
    h.load();
}

#[test]
fn p3_whole_or_not_at_all_a_generation_that_reads_back_differently_is_dropped() {
    let h = Hospital::small(10);
    h.work.run("his-load-standby", &["init"]).expect(0);
    let id = h.snapshot();
    let dir = dir_of(&h, &id);
    let path = dir.join("manifest.json");
    let sound = fs::read_to_string(&path).expect("a manifest");
    let mut manifest: Value = serde_json::from_str(&sound).expect("JSON");
    manifest["tables"][0]["digest"] = json!("00".repeat(32));
    let sums = fs::read_to_string(dir.join("SHA256SUMS")).expect("sums");
    fs::write(&path, manifest.to_string()).expect("it can be written");
    let hash = Program::at(Path::new("/usr/bin/sha256sum")).args([&path]).run().expect(0).stdout[..64].to_owned();
    let changed: String = sums
        .lines()
        .map(|l| if l.ends_with("  manifest.json") { format!("{hash}  manifest.json\n") } else { format!("{l}\n") })
        .collect();
    fs::write(dir.join("SHA256SUMS"), changed).expect("it can be written");
    h.refused(
        5,
        &[],
        "cannot verify 'public.t' on the standby: it gives back 10 rows with digest",
        "his-snapshot verify",
    );
    assert_eq!(h.states(), ["0 closed"]);
    fs::write(&path, sound).expect("it can be written");
    fs::write(dir.join("SHA256SUMS"), sums).expect("it can be written");
    assert_eq!(h.load()["generation"], 2, "a number is never used twice");
}

#[test]
fn a_snapshot_that_is_loaded_is_not_loaded_again_and_one_rolled_back_only_by_name() {
    let h = Hospital::small(10);
    let first = h.snapshot();
    h.load();
    let again = h.work.json(0, "his-load-standby", &[]);
    assert_eq!((&again["new"], &again["generation"], &again["verified"]), (&json!(false), &json!(1), &json!(true)));
    h.work.run("his-load-standby", &[]).expect(0).says("nothing to do");
    h.refused(4, &["rollback"], "there is none before generation 1", "his-load-standby ID");
    h.primary.execute(DB, "INSERT INTO t (v) VALUES ('second')");
    let second = h.snapshot();
    h.load();
    assert_eq!(h.states(), ["1 closed", "2 closed next"]);
    h.work.run("his-load-standby", &["rollback", "--dry-run"]).expect(0).says("would set generation 2 aside");
    assert_eq!(h.states(), ["1 closed", "2 closed next"]);
    let back = h.work.json(0, "his-load-standby", &["rollback"]);
    assert_eq!((&back["retired"], &back["generation"], &back["snapshot"]), (&json!(2), &json!(1), &json!(first)));
    assert_eq!(h.states(), ["1 closed next", "2 retired"]);
    h.refused(4, &["rollback"], "there is none before generation 1", "his-load-standby ID");
    h.refused(4, &[], "it was rolled back (generation 2)", &format!("his-load-standby {second}"));
    let named = h.work.json(0, "his-load-standby", &[&second]);
    assert_eq!((&named["generation"], &named["dropped"]), (&json!(3), &json!(["his_g2"])));
    assert_eq!(h.states(), ["1 closed", "3 closed next"]);
    // Going back to a generation that was opened before is refused: it is opened fresh once.
    h.standby
        .execute("his_g1", "BEGIN READ WRITE; UPDATE his_emergency.generation SET opened_event = '01-0001'; COMMIT");
    h.refused(4, &["rollback"], "it was opened already, in event '01-0001'", "his-load-standby ID");
}

#[test]
fn p6_nothing_open_is_thrown_away_a_generation_stays_until_the_ledger_shows_its_units() {
    let h = Hospital::small(10);
    h.snapshot();
    h.load();
    h.opened("his_g1");
    h.write("his_g1", "INSERT INTO t (v) VALUES ('new')");
    h.closed("his_g1");
    // Exported and lost from the store, but merged: the ledger counts, not the mark.
    h.write("his_g1", "INSERT INTO his_emergency.exported SELECT xid, '01-0001', 1 FROM his_emergency.unit");
    let xid = h.standby.value("his_g1", "SELECT xid FROM his_emergency.unit");
    for expected in [2, 3] {
        h.snapshot();
        assert_eq!(h.load()["generation"], expected);
    }
    assert_eq!(h.databases(), ["his_g1", "his_g2", "his_g3"]);
    h.primary.stop_fast();
    h.primary.start_again();
    h.primary.execute(DB, LEDGER);
    h.snapshot();
    let kept = h.load();
    assert_eq!(
        kept["kept"],
        json!([{"database": "his_g1", "reason": "the primary's ledger does not show all of its units as merged, held or rejected"}])
    );
    h.primary.execute(DB, &format!("INSERT INTO his_emergency.merge_run (event, by, host) VALUES ('01-0001', 'x', 'x');
        INSERT INTO his_emergency.event VALUES ('01-0001', 1);
        INSERT INTO his_emergency.unit (event, generation, xid, batch, status, rows, run) VALUES ('01-0001', 1, {xid}, 1, 'held', 1, 1)"));
    let id = h.snapshot();
    h.primary.stop_fast();
    let kept = h.work.json(0, "his-load-standby", &[&id]);
    assert_eq!(
        kept["kept"],
        json!([{"database": "his_g1", "reason": "the primary cannot be asked whether its units are merged"}])
    );
    h.primary.start_again();
    h.snapshot();
    assert_eq!(h.load()["dropped"], json!(["his_g1", "his_g4"]));
    assert_eq!(h.databases(), ["his_g5", "his_g6"]);
}

#[test]
fn emergency_numbers_go_on_after_the_highest_that_anything_has_seen() {
    let mut h = Hospital::small(10);
    h.snapshot();
    h.load();
    assert_eq!(h.next("his_g1"), "5000000", "exactly the first of the block");
    assert_eq!(h.next("his_g1"), "5000001");
    h.snapshot();
    h.load();
    assert_eq!(h.next("his_g2"), "5000002", "the other generation has handed out two");
    // The generations are gone; what the store remembers and what came back to the primary count.
    h.primary.execute(DB, "INSERT INTO t VALUES (5000041, 'merged')");
    h.standby.execute("postgres", "DROP DATABASE his_g1; ");
    h.standby.execute("postgres", "DROP DATABASE his_g2; ");
    h.snapshot();
    h.load();
    assert_eq!(h.next("his_g3"), "5000042");
    h.primary.execute(DB, "DELETE FROM t WHERE id = 5000041");
    h.standby.execute("postgres", "DROP DATABASE his_g3; ");
    h.snapshot();
    h.load();
    assert_eq!(h.next("his_g4"), "5000042", "the store remembers");
    h.work.edit(|p| {
        p.tables(
            "[[table]]\nname = \"public.t\"\n[[numbers]]\nsequence = \"public.t_id_seq\"\nblock = [5000000, 5000042]\n",
        );
    });
    h.snapshot();
    h.refused(4, &[], "the block is used up (highest seen 5000042, block 5000000..5000042)", "a new block");
}

#[test]
fn numbers_after_a_crash_leave_a_margin() {
    use his_emergency::{cli, load};
    let h = Hospital::small(10);
    h.snapshot();
    h.load();
    let profile = his_emergency::profile::Profile::read(&h.work.config()).expect("a profile");
    let store = his_emergency::store::Store::open(&profile).expect("a store");
    let site = cli::Site { profile, store, by: "test".to_owned(), talk: cli::Talk::silent() };
    let mut client = h.standby.client("his_g1");
    client.batch_execute("SET default_transaction_read_only = off").expect("it can be set");
    let mut advance = |crashed| load::advance_numbers(&site, &mut client, crashed).expect("numbers")[0].clone();
    assert_eq!(advance(false), ("public.t_id_seq".to_owned(), 5_000_000));
    assert_eq!(advance(true), ("public.t_id_seq".to_owned(), 5_001_000));
    assert_eq!(advance(false), ("public.t_id_seq".to_owned(), 5_001_000), "nothing was handed out in between");
}

#[test]
fn a_standby_or_primary_that_is_down_a_wrong_id_and_a_second_run_have_their_exit_codes() {
    let h = Hospital::small(200_000);
    h.refused(4, &[], "has none", "his-snapshot");
    h.snapshot();
    h.refused(2, &["20200101T000000000Z"], "the store has no such snapshot", "his-snapshot list");
    h.refused(2, &["--accept-shrink", "list"], "go with a load", "--help");
    h.refused(2, &["--no-such-flag"], "unexpected argument", "--help");

    let mut first = h.work.start("his-load-standby", &[]);
    first.wait_for("data:");
    first.freeze();
    h.refused(7, &[], "holds the lock since", "wait for that run");
    h.refused(7, &["rollback"], "holds the lock since", "wait for that run");
    h.refused(7, &["init"], "holds the lock since", "wait for that run");
    assert_eq!(h.databases(), ["his_g1_loading"]);
    assert_eq!(h.states(), [""; 0], "what is not finished is not seen");
    first.thaw();
    first.wait().expect(0);

    h.primary.stop_fast();
    h.primary.start_again();
    h.snapshot();
    h.primary.stop_fast();
    h.work.run("his-load-standby", &[]).expect(0);
    h.standby.stop_fast();
    for args in [&["init"][..], &["list"], &["rollback"], &["check"], &[]] {
        let ran = h.work.run("his-load-standby", args).expect(6).says("cannot connect to the standby");
        assert!(ran.hint().contains("check that the server runs"), "{}", ran.hint());
    }
}

#[test]
fn p16_the_emergency_comes_first_a_load_whose_sessions_are_ended_leaves_nothing() {
    let h = Hospital::small(200_000);
    h.work.run("his-load-standby", &["init"]).expect(0);
    h.snapshot();
    let mut load = h.work.start("his-load-standby", &[]);
    load.wait_for("data:");
    let ours = "FROM pg_stat_activity WHERE application_name = 'his-load-standby' AND backend_type = 'client backend'";
    wait_until("it works", Duration::from_secs(20), || {
        h.standby.value("postgres", &format!("SELECT count(*) >= 2 {ours}")) == "t"
    });
    let strangers = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname ~ '_loading$' AND backend_type = 'client backend' AND pid NOT IN (SELECT pid {ours})"
    );
    assert_eq!(h.standby.value("postgres", &strangers), "0", "every session of a load bears its name");
    h.standby.execute("postgres", &format!("SELECT pg_terminate_backend(pid) {ours}"));
    load.wait().expect(6);
    assert_eq!(h.databases(), ["his"]);
    assert_eq!(h.load()["new"], true);
}

#[test]
fn a_standby_that_dies_under_a_load_is_exit_6_and_nothing_is_visible() {
    let h = Hospital::small(200_000);
    h.snapshot();
    let mut load = h.work.start("his-load-standby", &[]);
    load.wait_for("data:");
    h.standby.stop_immediate();
    let ran = load.wait().expect(6);
    assert!(ran.hint().contains("check that the server runs"), "{}", ran.hint());
    h.standby.start_again();
    assert_eq!(h.states(), [""; 0]);
    assert_eq!(h.load()["new"], true);
    assert_eq!(h.databases().len(), 1);
    assert_same_tables((&h.primary, DB), (&h.standby, &h.databases()[0]), &[]);
}

#[test]
fn p7_once_a_load_killed_at_any_moment_and_run_again_ends_in_the_same_state() {
    let h = Hospital::new();
    h.work.run("his-load-standby", &["init"]).expect(0);
    h.snapshot();
    h.load();
    let mut longest = Duration::from_millis(600);
    for round in 0..20u32 {
        h.primary.execute(DB, "INSERT INTO op.charge (patient_id, total) VALUES (1, 5)");
        let id = h.snapshot();
        let began = Instant::now();
        let load = h.work.start("his-load-standby", &[]);
        std::thread::sleep(longest * (round * 7 % 20) / 20);
        let killed = load.kill();
        let took = began.elapsed();
        let again = h.load();
        if killed.code == 0 {
            longest = longest.min(took);
            assert_eq!(again["new"], false);
        }
        assert_eq!(again["snapshot"], json!(id));
        let databases = h.databases();
        let newest = again["database"].as_str().expect("a name").to_owned();
        assert!(databases.iter().all(|d| !d.ends_with("_loading")), "{databases:?}");
        assert!(databases.len() <= 3 && databases.contains(&newest), "{databases:?}");
        assert_same_tables((&h.primary, DB), (&h.standby, &newest), &LEFT_OUT);
        assert_eq!(h.standby.rows(&newest, "SELECT current_no FROM op.skd ORDER BY 1"), ["505", "507"]);
    }
    h.work.run("his-load-standby", &["check"]).expect(0);
}

#[test]
fn p7_once_a_rollback_killed_before_it_could_say_so_does_not_go_back_twice() {
    let h = Hospital::small(10);
    for _ in 0..3 {
        h.snapshot();
        h.load();
    }
    // Generation 1 is gone: two are left to go back and forth between.
    assert_eq!(h.states(), ["2 closed", "3 closed next"]);
    h.snapshot();
    h.work.run("his-load-standby", &["rollback"]).expect(0);
    let journal = h.work.store().join("journal.jsonl");
    let text = fs::read_to_string(&journal).expect("a journal");
    let lines: Vec<&str> = text.lines().collect();
    // As if killed between the act and the line that says that it is done.
    fs::write(&journal, lines[..lines.len() - 1].join("\n") + "\n").expect("it can be written");
    let again = h.work.json(0, "his-load-standby", &["rollback"]);
    assert_eq!((&again["retired"], &again["generation"]), (&json!(3), &json!(2)));
    assert_eq!(h.states(), ["2 closed next", "3 retired"]);
}

#[test]
fn a_dry_run_prints_the_plan_and_changes_nothing() {
    let h = Hospital::small(10);
    let id = h.snapshot();
    h.standby.create_database("his_g7_loading");
    let plan = h.work.json(0, "his-load-standby", &["--dry-run"]);
    assert_eq!((&plan["dry_run"], &plan["snapshot"], &plan["generation"]), (&json!(true), &json!(id), &json!(8)));
    assert_eq!(plan["plan"][0], "drop 'his_g7_loading', which an unfinished run left behind");
    assert_eq!(h.databases(), ["his_g7_loading"]);
    assert_eq!(h.load()["generation"], 8);
    assert_eq!(h.databases(), ["his_g8"]);
    assert_eq!(h.work.json(0, "his-load-standby", &["--dry-run"])["plan"], json!([]));
}

#[test]
fn a_check_finds_what_would_keep_windows_out_or_let_them_through() {
    let mut h = Hospital::new();
    h.work.run("his-load-standby", &["check"]).expect(3).says("run his-load-standby init");
    h.work.run("his-load-standby", &["init"]).expect(0);
    h.work.run("his-load-standby", &["check"]).expect(3).says("NOT OK: no generation is loaded");
    h.snapshot();
    h.load();
    h.work.run("his-load-standby", &["check"]).expect(0).says("window role 'his_app': may log in by line");
    let passwords = h.work.path().join("pgpass");
    fs::write(&passwords, "*:*:*:his_app:secret of the windows\n").expect("it can be written");
    Program::at(Path::new("/bin/chmod")).args([Path::new("600"), &passwords]).run().expect(0);
    let check = |h: &Hospital| h.work.program("his-load-standby", &["check"]).env("PGPASSFILE", &passwords).run();
    check(&h).expect(0).says("ok: window role 'his_app': logged in to 'his' with the password of PGPASSFILE");

    for (damage, mend, says) in [
        ("ALTER ROLE his_app NOLOGIN", "ALTER ROLE his_app LOGIN", "window role 'his_app': may not log in"),
        (
            "ALTER ROLE his_app VALID UNTIL '2020-01-01'",
            "ALTER ROLE his_app VALID UNTIL 'infinity'",
            "its password has expired",
        ),
        (
            "REVOKE CONNECT ON DATABASE his FROM his_app, PUBLIC",
            "GRANT CONNECT ON DATABASE his TO his_app",
            "may not connect to 'his'",
        ),
        ("ALTER ROLE his_app SUPERUSER", "ALTER ROLE his_app NOSUPERUSER", "is a superuser"),
        (
            "ALTER DATABASE his RESET default_transaction_read_only",
            "ALTER DATABASE his SET default_transaction_read_only = on",
            "NOT read-only by default",
        ),
        (
            "ALTER ROLE his_app SET default_transaction_read_only = off",
            "ALTER ROLE his_app RESET default_transaction_read_only",
            "would stay on the closed standby",
        ),
    ] {
        h.standby.execute("postgres", damage);
        h.work.run("his-load-standby", &["check"]).expect(3).says(says);
        h.standby.execute("postgres", mend);
    }
    for (damage, mend, says) in [
        (
            "ALTER TABLE op.dept DISABLE TRIGGER \"!his_emergency_gate\"",
            "ALTER TABLE op.dept ENABLE ALWAYS TRIGGER \"!his_emergency_gate\"",
            "the gate trigger on op.dept is missing",
        ),
        (
            "ALTER TABLE op.audit_2026 ENABLE TRIGGER \"!his_emergency_capture\"",
            "ALTER TABLE op.audit_2026 ENABLE ALWAYS TRIGGER \"!his_emergency_capture\"",
            "the capture trigger on op.audit_2026 is missing",
        ),
        (
            "ALTER TABLE op.dept OWNER TO his_owner",
            "ALTER TABLE op.dept OWNER TO postgres",
            "the window role 'his_app' owns op.dept",
        ),
    ] {
        let unguarded = |sql: &str| {
            h.standby.execute("his_g1", &format!("SET transaction_read_only = off; ALTER EVENT TRIGGER his_emergency_ddl DISABLE; {sql}; ALTER EVENT TRIGGER his_emergency_ddl ENABLE ALWAYS"));
        };
        unguarded(damage);
        h.work.run("his-load-standby", &["check"]).expect(3).says(says);
        unguarded(mend);
    }
    h.standby.execute("his_g1", "SET transaction_read_only = off; ALTER EVENT TRIGGER his_emergency_drop DISABLE");
    h.work.run("his-load-standby", &["check"]).expect(3).says("the event trigger his_emergency_drop is missing");
    h.standby
        .execute("his_g1", "SET transaction_read_only = off; ALTER EVENT TRIGGER his_emergency_drop ENABLE ALWAYS");

    fs::write(&passwords, "*:*:*:his_app:wrong\n").expect("it can be written");
    let hba = h.standby.data().join("pg_hba.conf");
    fs::write(&hba, "local all postgres trust\nlocal his his_app scram-sha-256\n").expect("it can be written");
    h.standby.execute("postgres", "SELECT pg_reload_conf()");
    wait_until("the rules are read", Duration::from_secs(10), || h.standby.connect("his_app", DB).is_err());
    let ran = check(&h).expect(3).says("NOT OK: window role 'his_app': cannot connect");
    assert!(!ran.stdout.contains("wrong"), "{}", ran.stdout);
    h.work
        .run("his-load-standby", &["check"])
        .expect(0)
        .says("may log in by line 2 of pg_hba.conf (scram-sha-256, from the socket)");
    fs::write(&hba, "local all postgres trust\nlocal all all reject\n").expect("it can be written");
    h.standby.execute("postgres", "SELECT pg_reload_conf()");
    h.work.run("his-load-standby", &["check"]).expect(3).says("line 2 of pg_hba.conf rejects it");
    h.work.set("standby", "window_roles", "[]");
    h.work.run("his-load-standby", &["check"]).expect(0).says("is not checked");
}

#[test]
fn a_primary_that_swallows_everything_does_not_stop_a_load() {
    let mut h = Hospital::small(10);
    let proxy = Proxy::unix(&h.primary);
    let url = format!("\"{}\"", proxy.url(DB));
    h.work.set("primary", "url", &url);
    h.snapshot();
    proxy.set(crate::support::Mode::Swallow);
    assert_eq!(h.load()["generation"], 1);
}

#[test]
fn p2_exact_the_real_his_arrives_with_all_its_keys() {
    let Some(dir) = real_his() else { return };
    let (primary, standby) = Cluster::pair();
    primary.create_database(DB);
    for file in ["load.sql", "add_fk.sql"] {
        primary.psql_file(DB, &dir.join(file));
    }
    let names = "SELECT '[[table]]' || E'\\n' || 'name = \"public.' || relname || '\"' FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1";
    let tables = primary.rows(DB, names).join("\n");
    let work = Workplace::new(&primary, &standby, &tables);
    let h = Hospital { primary, standby, work };
    h.snapshot();
    let loaded = h.load();
    assert_eq!((&loaded["rows"], &loaded["dangling"]), (&json!(33_296), &json!([])));
    assert_same_tables((&h.primary, DB), (&h.standby, "his_g1"), &[]);
    assert_eq!(
        h.standby.value("his_g1", "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated"),
        "26"
    );
}

#[test]
fn a_frozen_load_can_be_killed_and_its_lock_is_free_at_once() {
    let h = Hospital::small(200_000);
    h.snapshot();
    let mut load = h.work.start("his-load-standby", &[]);
    load.wait_for("data:");
    load.freeze();
    load.signal(Signal::KILL);
    load.wait().expect(137);
    assert_eq!(h.load()["generation"], 2);
    assert_eq!(h.databases(), ["his_g2"]);
}
