//! Loading a snapshot into a generation: what arrives, what is refused, and what a killed run leaves behind.

mod arrives;
mod check;
mod crontab;
mod damage;
mod forward;
mod generations;
mod ground;
mod histories;
mod init;
mod killed;
mod numbers;
mod refuses;
mod same;
mod table_numbers;

use crate::support::workplace::DB;
use crate::support::{Cluster, Program, Workplace};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

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
        // From 17 on an index is built with a search path of the server's own, and such a one cannot be.
        let version = |c: &Cluster| c.value("postgres", "SHOW server_version_num").parse::<u32>().expect("a number");
        let version = version(&primary).max(version(&standby));
        let index = if version < 170_000 { "" } else { "CREATE INDEX ON tagged (tag(name));" };
        primary.execute(DB, &SCHEMA.replace(index, ""));
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

    /// A full one, so that each is loaded into a generation of its own.
    pub fn snapshot(&self) -> String {
        self.work.json(0, "his-snapshot", &["--full"])["snapshot"].as_str().expect("an id").to_owned()
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

const LEDGER: &str = include_str!("../../sql/merge/ledger.sql");

/// What any client can say to a database that is read-only by default.
const WRITING: &str = "SET transaction_read_only = off";

/// The snapshot's directory.
fn dir_of(h: &Hospital, id: &str) -> PathBuf {
    h.work.store().join("snapshots").join(id)
}

/// Changes the manifest of a snapshot and its line in SHA256SUMS with it, and gives back what both were.
fn forge(dir: &Path, change: impl FnOnce(&mut Value)) -> [(PathBuf, String); 2] {
    let (path, sums) = (dir.join("manifest.json"), dir.join("SHA256SUMS"));
    let read = |path: &Path| fs::read_to_string(path).expect("it is there");
    let sound = [(path.clone(), read(&path)), (sums.clone(), read(&sums))];
    let mut manifest: Value = serde_json::from_str(&sound[0].1).expect("JSON");
    change(&mut manifest);
    fs::write(&path, manifest.to_string()).expect("it can be written");
    let hash = Program::at(Path::new("/usr/bin/sha256sum")).args([&path]).run().expect(0).stdout[..64].to_owned();
    let line = |l: &str| if l.ends_with("  manifest.json") { format!("{hash}  manifest.json") } else { l.to_owned() };
    let lines: Vec<String> = sound[1].1.lines().map(line).collect();
    fs::write(&sums, lines.join("\n") + "\n").expect("it can be written");
    sound
}

/// Puts back what [`forge`] gave.
fn restore(sound: &[(PathBuf, String)]) {
    for (path, text) in sound {
        fs::write(path, text).expect("it can be written");
    }
}
