//! The merge as a script for psql, on a primary that the tool may not reach: the same tables and ledger, and a receipt.

mod refuses;
mod settles;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::day;
use crate::support::workplace::DB;
use crate::support::{Cluster, Digest, Program, Ran, Running, Workplace};

const SCHEMA: &str = r#"
CREATE SCHEMA h;
CREATE TABLE h.patient (id bigserial PRIMARY KEY, name text NOT NULL CHECK (name <> 'refused'), id_no text UNIQUE, phone text, address text);
CREATE TABLE h.schedule (id int PRIMARY KEY, slots_left int, current_no int DEFAULT 0, note text);
CREATE TABLE h.visit (id bigserial PRIMARY KEY, patient_id bigint REFERENCES h.patient, day date, fee numeric(10,2), status text DEFAULT 'registered');
CREATE TABLE h.charge (id bigserial PRIMARY KEY, patient_id bigint REFERENCES h.patient, visit_id bigint REFERENCES h.visit, total numeric(12,4), receipt_no text UNIQUE, event text, batch bigint);
CREATE TABLE h.line (id bigserial PRIMARY KEY, charge_id bigint REFERENCES h.charge, drug_id int, amount numeric(12,4));
CREATE TABLE h.drug (id int PRIMARY KEY, stock int NOT NULL);
CREATE TABLE h.sale (id bigint PRIMARY KEY, drug_id int REFERENCES h.drug, qty int, total numeric(12,4), updated_at timestamptz);
CREATE TABLE h.audit (id bigserial PRIMARY KEY, what text, sale_id bigint);
CREATE TABLE h."门诊 挂号" (id int PRIMARY KEY, "备注 Note" text, "a\b'c" jsonb, raw bytea, spans int[], at timestamptz, f float8, mood text COLLATE "C", big numeric GENERATED ALWAYS AS (id * 2) STORED);
CREATE TABLE h.part (id int, day date, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE h.part_1 PARTITION OF h.part FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
CREATE TABLE h.part_2 PARTITION OF h.part FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
CREATE SEQUENCE h.official START 5001;
CREATE FUNCTION h.next_receipt() RETURNS text LANGUAGE sql AS $$ SELECT 'A' || nextval('h.official') $$;
CREATE FUNCTION h.lower() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE h.drug SET stock = stock - NEW.qty WHERE id = NEW.drug_id; RETURN NULL; END $$;
CREATE FUNCTION h.log() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO h.audit (what, sale_id) VALUES (TG_OP, NEW.id); RETURN NULL; END $$;
CREATE FUNCTION h.use_drug() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE h.drug SET stock = stock - 1 WHERE id = NEW.drug_id; RETURN NULL; END $$;
CREATE TRIGGER a_lower AFTER INSERT ON h.sale FOR EACH ROW EXECUTE FUNCTION h.lower();
CREATE TRIGGER b_log AFTER INSERT OR UPDATE ON h.sale FOR EACH ROW EXECUTE FUNCTION h.log();
CREATE TRIGGER use_drug AFTER INSERT ON h.line FOR EACH ROW EXECUTE FUNCTION h.use_drug();
INSERT INTO h.patient (name, id_no) SELECT 'p' || i, 'n' || i FROM generate_series(1, 20) i;
INSERT INTO h.schedule (id, slots_left) SELECT i, 10 FROM generate_series(1, 3) i;
INSERT INTO h.visit (patient_id, day, fee) SELECT i, '2026-11-22', 5 FROM generate_series(1, 5) i;
INSERT INTO h.charge (patient_id, visit_id, total, receipt_no) SELECT i, i, 10.5, 'r' || i FROM generate_series(1, 5) i;
INSERT INTO h.drug VALUES (1, 100), (2, 100);
INSERT INTO h."门诊 挂号" (id, "备注 Note") VALUES (1, NULL), (2, '');
INSERT INTO h.part VALUES (1, '2026-03-01', 'moves'), (2, '2026-03-02', 'stays');
ALTER DATABASE his SET timezone = 'Asia/Shanghai';
"#;

const TABLES: &str = r#"
[[table]]
name = "h.patient"
capture = true
[[table]]
name = "h.schedule"
capture = true
counter = ["slots_left"]
[[table]]
name = "h.visit"
capture = true
money = ["fee"]
same_as = ["patient_id", "day"]
[[table]]
name = "h.charge"
capture = true
money = ["total"]
stamp = { event = "event", batch = "batch" }
assign = { receipt_no = "h.next_receipt()" }
guard = { visit_id = ["status"] }
[[table]]
name = "h.line"
capture = true
money = ["amount"]
part_of = "h.charge"
[[table]]
name = "h.drug"
capture = true
counter = ["stock"]
[[table]]
name = "h.sale"
capture = true
money = ["total"]
ignore = ["updated_at"]
triggers = "refire"
[[table]]
name = "h.audit"
capture = true
[[table]]
name = 'h."门诊 挂号"'
capture = true
[[table]]
name = "h.part"
capture = true
[[numbers]]
sequence = "h.patient_id_seq"
block = [900001, 999999]
[[numbers]]
sequence = "h.visit_id_seq"
block = [900001, 999999]
[[numbers]]
sequence = "h.charge_id_seq"
block = [900001, 999999]
[[numbers]]
sequence = "h.line_id_seq"
block = [900001, 999999]
[[numbers]]
sequence = "h.audit_id_seq"
block = [900001, 999999]
[[numbers]]
column = "h.schedule.current_no"
jump = 500
"#;

/// What windows do: of every kind of conflict one, and much that fits.
const WINDOWS: [&str; 22] = [
    "INSERT INTO h.patient (id, name) VALUES (100, 'ours')",
    "INSERT INTO h.patient (id, name, id_no) VALUES (101, 'x', 'taken')",
    "UPDATE h.patient SET name = 'ours' WHERE id = 3",
    "UPDATE h.patient SET phone = '1' WHERE id = 6",
    "INSERT INTO h.charge (patient_id, total) VALUES (7, 1)",
    "UPDATE h.patient SET phone = 'fine' WHERE id = 8",
    "DELETE FROM h.patient WHERE id = 9",
    "UPDATE h.patient SET address = 'refuse me' WHERE id = 10",
    "INSERT INTO h.charge (id, patient_id, total, receipt_no) VALUES (910001, 1, 30, 'E1')",
    "INSERT INTO h.line (charge_id, drug_id, amount) VALUES (910001, 1, 10), (910001, 2, 20)",
    "INSERT INTO h.charge (id, patient_id, total, receipt_no) VALUES (910002, 1, 7, 'E2')",
    "INSERT INTO h.line (id, charge_id, drug_id, amount) VALUES (77, 910002, 1, 7)",
    "UPDATE h.patient SET address = 'after the held one' WHERE id = 3",
    "UPDATE h.schedule SET slots_left = slots_left - 3, current_no = 501 WHERE id = 1",
    "UPDATE h.patient SET id_no = 'between' WHERE id = 11; UPDATE h.patient SET id_no = 'n11' WHERE id = 12; UPDATE h.patient SET id_no = 'n12' WHERE id = 11",
    "INSERT INTO h.sale (id, drug_id, qty, total) VALUES (1, 1, 3, 3.75); UPDATE h.sale SET qty = 2 WHERE id = 1",
    "INSERT INTO h.visit (patient_id, day, fee) VALUES (13, '2026-11-23', 5)",
    "INSERT INTO h.visit (patient_id, day, fee) VALUES (14, '2026-11-23', 5)",
    "INSERT INTO h.charge (patient_id, visit_id, total) VALUES (2, 2, 12)",
    "INSERT INTO h.patient (id, name, id_no) VALUES (102, 'same', 'n102')",
    "UPDATE h.part SET day = '2026-08-01', v = 'moved' WHERE id = 1; UPDATE h.part SET v = E'\\\\.' WHERE id = 2",
    r#"UPDATE h."门诊 挂号" SET "备注 Note" = '' WHERE id = 1; UPDATE h."门诊 挂号" SET "备注 Note" = NULL WHERE id = 2;
       INSERT INTO h."门诊 挂号" VALUES (3, E'a\n\\.\nb,"c"\td\r\n', '{"x": "\\n"}', '\x00ff0a', '[0:1]={1,NULL}', 'infinity', '-0', E'\\N'), (4, '', NULL, '', '{}', '2026-11-23 01:02:03.456+00', 'NaN', '张三 😀 $1 :name $piece$')"#,
];

const MEANWHILE: &str = "INSERT INTO h.patient (id, name) VALUES (100, 'theirs'); INSERT INTO h.patient (id, name, id_no) VALUES (200, 'y', 'taken');
    UPDATE h.patient SET name = 'theirs' WHERE id = 3; DELETE FROM h.patient WHERE id IN (6, 7);
    INSERT INTO h.charge (id, patient_id, total) VALUES (50, 9, 3); INSERT INTO h.line (id, amount) VALUES (77, 999);
    ALTER TABLE h.patient ADD CONSTRAINT no_refuse CHECK (address <> 'refuse me') NOT VALID;
    UPDATE h.schedule SET slots_left = slots_left - 2 WHERE id = 1; UPDATE h.drug SET stock = stock - 10 WHERE id = 1;
    INSERT INTO h.visit (patient_id, day, fee) VALUES (13, '2026-11-23', 5); UPDATE h.visit SET status = 'cancelled' WHERE id = 2;
    INSERT INTO h.patient (id, name, id_no) VALUES (102, 'same', 'n102')";

struct World {
    primary: Cluster,
    standby: Cluster,
    work: Workplace,
}

type Everything = (Digest, BTreeMap<String, Vec<String>>);

impl World {
    /// Snapshot, generation and an open standby; the primary is down, and the same again after.
    fn new() -> World {
        let (primary, standby) = Cluster::pair();
        primary.create_database(DB);
        primary.psql(DB, SCHEMA);
        Self::over(primary, standby, TABLES)
    }

    /// The same over a primary whose database is filled already.
    fn over(primary: Cluster, standby: Cluster, tables: &str) -> World {
        let work = Workplace::new(&primary, &standby, tables);
        work.run("his-load-standby", &["init"]).expect(0);
        work.run("his-snapshot", &[]).expect(0);
        work.run("his-load-standby", &[]).expect(0);
        primary.stop_fast();
        work.run("his-switch", &["standby", "--reason", "test"]).expect(0);
        primary.start_again();
        World { primary, standby, work }
    }

    fn window(&self, transactions: &[&str]) {
        for sql in transactions {
            self.standby.execute(DB, &format!("BEGIN; {sql}; COMMIT;"));
        }
    }

    /// Exports what is there; gives the batch's directory.
    fn export(&self) -> String {
        let json = self.work.json(0, "his-export-queue", &[]);
        json["batches"][0]["path"].as_str().expect("a batch").to_owned()
    }

    /// Writes the script of these batches; gives its path.
    fn script(&self, batches: &[&str]) -> PathBuf {
        let path = self.work.path().join("merge.sql");
        let _ = fs::remove_file(&path);
        let to = path.to_string_lossy().into_owned();
        self.work.run("his-merge", &[&["sql", "--output", &to], batches].concat()).expect(0);
        path
    }

    fn psql(&self, script: &Path) -> Ran {
        self.start(script, &self.primary, DB).wait()
    }

    /// As the header of the script says it.
    fn start(&self, script: &Path, cluster: &Cluster, db: &str) -> Running {
        let (script, receipt) = (script.to_string_lossy(), self.receipt());
        let args = ["-X", "-f", &script, "-o", &receipt.to_string_lossy(), &cluster.url(db)].map(str::to_owned);
        Program::at(&crate::support::server::bin("psql")).args(args).start()
    }

    /// The script is refused with this, and nothing is changed.
    #[track_caller]
    fn refuses(&self, script: &Path, says: &str) {
        let before = self.everything();
        self.psql(script).expect(3).says(says).says("HINT");
        assert_eq!(self.everything(), before);
    }

    fn receipt(&self) -> PathBuf {
        self.work.path().join("receipt.txt")
    }

    fn settle(&self, code: i32) -> Value {
        self.work.json(code, "his-merge", &["receipt", &self.receipt().to_string_lossy()])
    }

    /// The primary's files as they are now.
    fn backup(&self) -> PathBuf {
        self.primary.stop_fast();
        let to = self.primary.data().with_file_name("before");
        let _ = fs::remove_dir_all(&to);
        copy(&self.primary.data(), &to);
        self.primary.start_again();
        to
    }

    fn put_back(&self, backup: &Path) {
        self.primary.stop_fast();
        fs::remove_dir_all(self.primary.data()).expect("it is there");
        copy(backup, &self.primary.data());
        self.primary.start_again();
    }

    fn everything(&self) -> Everything {
        (self.primary.digest(DB), ledger(&self.primary))
    }

    /// The same merge by the script and by his-merge, from the same state: the same must come of it.
    fn same_by_both(&self, batches: &[&str], code: i32) -> Everything {
        let before = self.backup();
        let script = self.script(batches);
        self.psql(&script).expect(0);
        let by_script = self.everything();
        self.put_back(&before);
        self.work.run("his-merge", &[&["--early"], batches].concat()).expect(code);
        let by_program = self.everything();
        for (table, rows) in &by_program.1 {
            assert_eq!(by_script.1.get(table), Some(rows), "ledger table {table}");
        }
        assert_eq!(crate::support::differences(&by_script.0, &by_program.0), Vec::<String>::new());
        assert_eq!(by_script.1.len(), by_program.1.len());
        by_program
    }
}

/// Every row of the ledger but for times and who ran it.
fn ledger(primary: &Cluster) -> BTreeMap<String, Vec<String>> {
    let tables = primary.rows(DB, "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('his_emergency') AND relkind = 'r' AND relname !~ '^fence'");
    let rows = |table: &String| {
        let without = "'{by,host,started_at,finished_at,seen,settled_at,found_at}'::text[]";
        primary.rows(DB, &format!("SELECT (to_jsonb(t) - {without})::text FROM his_emergency.{table} t ORDER BY 1"))
    };
    tables.iter().map(|t| (t.clone(), rows(t))).collect()
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").args(["-a", "--reflink=auto"]).arg(from).arg(to).status();
    assert!(copied.is_ok_and(|s| s.success()), "cannot copy {}", from.display());
}

#[test]
fn a_script_run_by_psql_leaves_the_same_tables_and_ledger_as_the_program() {
    let w = World::new();
    w.window(&WINDOWS);
    w.primary.execute(DB, MEANWHILE);
    let first = w.export();
    let (_, ledger) = w.same_by_both(&[&first], 3);
    let kinds: Vec<&str> = ["exists", "unique", "changed", "missing", "parent", "rule", "twin", "depends"]
        .into_iter()
        .filter(|k| !ledger["conflict"].iter().any(|c| c.contains(&format!("\"kind\": \"{k}\""))))
        .collect();
    assert_eq!(kinds, Vec::<&str>::new(), "every kind of conflict is in it");
    assert!(!ledger["already"].is_empty() && !ledger["number_given"].is_empty() && !ledger["brought"].is_empty());
    // On top of what is held, and after decisions of each kind, a second batch.
    let conflicts = w.work.json(0, "his-merge", &["conflicts"]);
    let id = |kind: &str| {
        let all = conflicts["conflicts"].as_array().expect("a list");
        all.iter().find(|c| c["kind"] == kind).expect("it is there")["id"].to_string()
    };
    w.work.run("his-merge", &["resolve", &id("unique"), "--take", "link={\"id\":\"200\"}", "--why", "same"]).expect(0);
    w.work.run("his-merge", &["resolve", &id("exists"), "--take", "primary", "--why", "theirs"]).expect(0);
    w.window(&[
        "INSERT INTO h.charge (patient_id, total) VALUES (101, 5), (100, 6)",
        "UPDATE h.patient SET phone = 'later' WHERE id = 3",
        "INSERT INTO h.charge (patient_id, total) VALUES (8, 1)",
        "UPDATE h.patient SET phone = 'again' WHERE id = 100",
    ]);
    let second = w.export();
    let (_, ledger) = w.same_by_both(&[&second], 3);
    assert_eq!(ledger["batch"].len(), 2);
    assert!(
        w.primary.rows(DB, "SELECT count(*) FROM h.charge WHERE patient_id = 200") == ["0"],
        "both charges are of one unit, and wait"
    );
}

#[test]
fn a_day_of_the_reference_his_is_the_same_by_the_script_and_by_the_program() {
    let (primary, standby) = Cluster::pair();
    day::fill(&primary, DB);
    let w = World::over(primary, standby, &day::tables());
    let lost = "SELECT card_no FROM outpatient.card ORDER BY card_no LIMIT 5";
    let odd = |status: &str| format!("UPDATE outpatient.card SET status = {status} WHERE card_no IN ({lost})");
    w.standby.psql(
        DB,
        "SET client_min_messages = error;
         DO $$ BEGIN FOR i IN 1..300 LOOP
           PERFORM CASE WHEN i % 10 = 0 THEN outpatient.window_refund(i % 8, i) WHEN i % 10 < 6 THEN outpatient.window_register(i % 8, i) ELSE outpatient.window_charge_order(i % 8, i) END;
           COMMIT; END LOOP; END $$",
    );
    w.window(&[&odd("1")]);
    // Work on the primary too, of other windows.
    w.primary.psql(
        DB,
        "SET client_min_messages = error; SELECT outpatient.window_register(7, 1000 + i) FROM generate_series(1, 20) i",
    );
    w.primary.execute(DB, &odd("2"));
    let (_, ledger) = w.same_by_both(&[&w.export()], 3);
    assert!(ledger["unit"].len() > 200 && !ledger["conflict"].is_empty(), "{} units", ledger["unit"].len());
}
