//! A primary that has forgotten something: recognised, brought back, and the same then as one that was never lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::workplace::DB;
use crate::support::{Cluster, Digest, Kind, Program, Workplace, copy, wait_until};

const SCHEMA: &str = "
CREATE SCHEMA h;
CREATE TABLE h.price (code text PRIMARY KEY, price numeric(12,4));
CREATE TABLE h.patient (id bigserial PRIMARY KEY, name text NOT NULL, id_no text UNIQUE, phone text);
CREATE TABLE h.schedule (id int PRIMARY KEY, slots_left int, note text);
CREATE TABLE h.charge (id bigserial PRIMARY KEY, patient_id bigint REFERENCES h.patient, total numeric(12,4), receipt_no text UNIQUE, refund_of bigint REFERENCES h.charge, lines int DEFAULT 0);
CREATE TABLE h.line (id bigserial PRIMARY KEY, charge_id bigint NOT NULL REFERENCES h.charge, amount numeric(12,4));
CREATE TABLE h.hen (id int PRIMARY KEY, egg int);
CREATE TABLE h.egg (id int PRIMARY KEY, hen int REFERENCES h.hen DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE h.hen ADD FOREIGN KEY (egg) REFERENCES h.egg DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE h.login (who text, at timestamptz);
CREATE SEQUENCE h.official START 5001;
CREATE FUNCTION h.next_receipt() RETURNS text LANGUAGE sql AS $$ SELECT 'A' || nextval('h.official') $$;
CREATE FUNCTION h.count_line() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE h.charge SET lines = lines + 1 WHERE id = NEW.charge_id; RETURN NULL; END $$;
CREATE TRIGGER count_line AFTER INSERT ON h.line FOR EACH ROW EXECUTE FUNCTION h.count_line();
INSERT INTO h.price SELECT 'c' || i, i FROM generate_series(1, 5) i;
INSERT INTO h.patient (name, id_no) SELECT 'p' || i, 'n' || i FROM generate_series(1, 20) i;
INSERT INTO h.schedule SELECT i, 10 FROM generate_series(1, 3) i;
INSERT INTO h.charge (patient_id, total, receipt_no) SELECT i, 10.5, h.next_receipt() FROM generate_series(1, 5) i;";

const TABLES: &str = r#"
[[table]]
name = "h.price"
[[table]]
name = "h.patient"
capture = true
[[table]]
name = "h.schedule"
capture = true
counter = ["slots_left"]
[[table]]
name = "h.charge"
capture = true
money = ["total"]
assign = { receipt_no = "h.next_receipt()" }
[[table]]
name = "h.line"
capture = true
money = ["amount"]
part_of = "h.charge"
[[table]]
name = "h.hen"
capture = true
[[table]]
name = "h.egg"
capture = true
[[numbers]]
sequence = "h.patient_id_seq"
block = [900000, 999999]
[[numbers]]
sequence = "h.charge_id_seq"
block = [900000, 999999]
[[numbers]]
sequence = "h.line_id_seq"
block = [900000, 999999]
"#;

/// What the primary did between the backup and the snapshot: new rows of every kind, and changed ones.
const MORNING: &str = "
INSERT INTO h.price VALUES ('c6', 6.5);
UPDATE h.price SET price = 1.25 WHERE code = 'c1';
INSERT INTO h.patient (name, id_no) SELECT 'm' || i, 'm' || i FROM generate_series(1, 30) i;
UPDATE h.patient SET phone = 'morning' WHERE id = 2;
UPDATE h.schedule SET slots_left = slots_left - 4 WHERE id = 1;
INSERT INTO h.schedule VALUES (4, 7, 'new');
BEGIN; INSERT INTO h.charge (patient_id, total, receipt_no) SELECT 20 + i, 3.3333, h.next_receipt() FROM generate_series(1, 10) i;
INSERT INTO h.line (charge_id, amount) SELECT id, total / 3 FROM h.charge, generate_series(1, 3) WHERE id > 5; COMMIT;
INSERT INTO h.charge (patient_id, total, receipt_no, refund_of) VALUES (21, -3.3333, h.next_receipt(), 6), (3, -10.5, h.next_receipt(), 3);
BEGIN; INSERT INTO h.hen VALUES (1, 1), (2, 2); INSERT INTO h.egg VALUES (1, 2), (2, 1); COMMIT;";

/// What windows do on the standby.
const EVENT: [&str; 4] = [
    "UPDATE h.schedule SET slots_left = slots_left - 1 WHERE id IN (1, 4)",
    "INSERT INTO h.charge (patient_id, total, receipt_no) VALUES (22, 12.3456, 'E1'); INSERT INTO h.line (charge_id, amount) SELECT max(id), 12.3456 FROM h.charge",
    "INSERT INTO h.patient (name, id_no) VALUES ('new', 'e1'); INSERT INTO h.charge (patient_id, total, receipt_no) SELECT max(id), 7, 'E2' FROM h.patient",
    "UPDATE h.patient SET phone = 'event' WHERE id IN (2, 25)",
];

struct Day {
    primary: Cluster,
    standby: Cluster,
    work: Workplace,
}

impl Day {
    fn new() -> Day {
        let (primary, standby) = Cluster::pair();
        primary.create_database(DB);
        primary.execute(DB, SCHEMA);
        let work = Workplace::new(&primary, &standby, TABLES);
        work.run("his-load-standby", &["init"]).expect(0);
        Day { primary, standby, work }
    }

    /// The primary's files as of now, as a backup of the night has them.
    fn backup(&self, name: &str) -> PathBuf {
        self.primary.stop_fast();
        let to = keep(&self.primary, name);
        self.primary.start_again();
        to
    }

    /// Loses the primary and puts that backup in its place.
    fn restore(&self, backup: &Path) {
        if self.primary.running() {
            self.primary.stop_immediate();
        }
        put_back(backup, &self.primary.data());
        self.primary.start_again();
    }

    /// Takes a snapshot and loads it; gives its id.
    fn load(&self) -> String {
        let taken = self.work.json(0, "his-snapshot", &[]);
        self.work.json(0, "his-load-standby", &[]);
        taken["snapshot"].as_str().expect("an id").to_owned()
    }

    /// The primary is gone, and the windows work on the standby. (Gone in order: a crash would skip numbers of sequences.)
    fn emergency(&self, transactions: &[&str]) {
        self.primary.stop_fast();
        self.work.json(0, "his-switch", &["standby", "--reason", "test"]);
        for sql in transactions {
            self.standby.execute(DB, &format!("BEGIN; {sql}; COMMIT;"));
        }
    }

    /// What comes out if the primary is started again as it is and the windows return; everything else is put back after.
    fn had_it_only_been_down(&self, code: i32) -> (Digest, BTreeMap<String, Vec<String>>) {
        let (standby, store) = (self.standby.data().with_file_name("before"), self.work.path().join("before"));
        self.standby.stop_fast();
        copy(&self.standby.data(), &standby);
        copy(&self.work.store(), &store);
        self.standby.start_again();
        self.work.json(0, "his-switch", &["standby"]);
        self.primary.start_again();
        self.work.json(code, "his-switch", &["primary"]);
        let everything = self.everything();
        self.primary.stop_fast();
        self.standby.stop_fast();
        put_back(&standby, &self.standby.data());
        put_back(&store, &self.work.store());
        self.standby.start_again();
        self.work.json(0, "his-switch", &["standby"]);
        everything
    }

    fn backfill(&self, code: i32, args: &[&str]) -> Value {
        self.work.json(code, "his-merge", &[&["backfill"], args].concat())
    }

    fn rows(&self, sql: &str) -> Vec<String> {
        self.primary.rows(DB, sql)
    }

    /// Every row of the HIS and of the ledger; runs, times and the record of the backfill aside.
    fn everything(&self) -> (Digest, BTreeMap<String, Vec<String>>) {
        (self.primary.digest(DB), ledger(&self.primary))
    }
}

fn ledger(primary: &Cluster) -> BTreeMap<String, Vec<String>> {
    let tables = primary.rows(DB, "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('his_emergency') AND relkind = 'r' AND relname !~ '^fence' AND relname NOT IN ('merge_run', 'backfill')");
    let rows = |table: &String| {
        primary.rows(
            DB,
            &format!(
                "SELECT t FROM (SELECT (to_jsonb(t) - '{{run,id,sha256,closing,conflict,seen,found_at,decided_at,settled_at,begun_at}}'::text[])::text AS t FROM his_emergency.{table} t) x
                 WHERE t !~ '\"01-B' ORDER BY 1"
            ),
        )
    };
    tables.iter().map(|t| (t.clone(), rows(t))).collect()
}

/// A copy of a stopped server's files.
fn keep(cluster: &Cluster, name: &str) -> PathBuf {
    let to = cluster.data().with_file_name(name);
    copy(&cluster.data(), &to);
    to
}

fn put_back(from: &Path, to: &Path) {
    fs::remove_dir_all(to).expect("it is there");
    copy(from, to);
}

#[test]
fn a_primary_restored_to_this_mornings_backup_is_recognised_and_ends_as_one_that_was_never_lost() {
    let d = Day::new();
    let night = d.backup("night");
    d.primary.psql(DB, MORNING);
    let id = d.load();
    d.emergency(&EVENT);

    let never_lost = d.had_it_only_been_down(0);
    d.restore(&night);
    for (program, args) in [("his-switch", &["primary"][..]), ("his-merge", &["--early"])] {
        d.work.run("his-export-queue", &[]).expect(0);
        let ran = d.work.run(program, args).expect(4).says(&format!("it is older than the snapshot '{id}'"));
        assert!(ran.hint().contains(&format!("his-merge backfill {id}")), "{}", ran.hint());
    }

    let before = d.everything();
    let planned = d.backfill(0, &[&id, "--changed", "snapshot", "--dry-run"]);
    assert_eq!(
        (d.everything(), d.rows("SELECT to_regnamespace('his_emergency') IS NULL")),
        (before, vec!["f".to_owned()])
    );
    let of = |name: &str| planned["tables"].as_array().unwrap().iter().find(|t| t["table"] == name).unwrap().clone();
    assert_eq!((&of("h.patient")["lacking"], &of("h.patient")["changed"]), (&json!(30), &json!(1)));
    assert_eq!((&of("h.price")["lacking"], &of("h.price")["only_on_primary"]), (&json!(1), &json!(0)));

    let done = d.backfill(0, &[&id, "--changed", "snapshot"]);
    assert_eq!((&done["new"], &done["balanced"]), (&planned["new"], &json!(true)));
    assert_eq!(done["units"]["captured"], done["units"]["merged"]);
    // The morning's charges and refunds are the money that came back.
    assert_eq!(
        done["money"][0],
        json!({"table": "h.charge", "column": "total", "captured": "19.4997", "merged": "19.4997", "held": "0", "rejected": "0"})
    );
    let once = d.everything();
    assert_eq!(d.backfill(0, &[&id, "--changed", "snapshot"])["new"], json!({"merged": 0, "held": 0}));
    assert_eq!(d.everything(), once);

    d.work.json(0, "his-switch", &["primary"]);
    assert_eq!(d.everything(), never_lost);
    let status = d.work.json(0, "his-merge", &["status"]);
    assert_eq!((&status["balanced"], &status["units"]["merged"]), (&json!(true), &json!(4)));
    // A number that the snapshot knew is given to nobody again.
    assert_eq!(d.rows("INSERT INTO h.patient (name) VALUES ('next') RETURNING id"), ["51"]);
}

#[test]
fn a_ledger_that_was_lost_too_comes_back_with_the_rows_and_nothing_is_merged_twice() {
    let d = Day::new();
    let night = d.backup("night");
    d.load();
    d.work.json(0, "his-switch", &["standby", "--reason", "first"]);
    for sql in [EVENT[0], EVENT[2], "UPDATE h.patient SET phone = 'ours' WHERE id = 1"] {
        d.standby.execute(DB, &format!("BEGIN; {sql}; COMMIT;"));
    }
    d.primary.execute(DB, "UPDATE h.patient SET phone = 'theirs' WHERE id = 1");
    d.work.json(3, "his-switch", &["primary"]);
    d.primary.psql(DB, MORNING.split_once("INSERT INTO h.schedule").expect("the morning has one").0);
    d.primary.execute(DB, "UPDATE h.schedule SET slots_left = slots_left - 2 WHERE id = 1");
    let id = d.load();
    d.emergency(&[
        "UPDATE h.schedule SET slots_left = slots_left - 1 WHERE id = 1",
        "INSERT INTO h.charge (patient_id, total, receipt_no) VALUES (21, 5, 'E3')",
        "UPDATE h.patient SET phone = 'later' WHERE id = 1",
    ]);
    let never_lost = d.had_it_only_been_down(3);
    d.restore(&night);
    let ran = d.work.run("his-switch", &["primary"]).expect(4).says("it has no merge ledger (expected one up to run");
    assert!(ran.hint().contains(&format!("his-merge backfill {id}")), "{}", ran.hint());
    let done = d.backfill(0, &[&id, "--changed", "snapshot"]);
    assert!(done["ledger"]["put_back_up_to_run"].as_u64().unwrap() >= 1, "{done}");
    d.work.json(3, "his-switch", &["primary"]);
    assert_eq!(d.everything(), never_lost);
    assert_eq!(d.rows("SELECT slots_left FROM h.schedule WHERE id = 1"), ["2"]);
}

#[test]
fn what_differs_is_held_for_a_person_and_what_is_killed_half_way_goes_on() {
    let d = Day::new();
    let night = d.backup("night");
    d.primary.psql(DB, MORNING);
    d.primary.psql(DB, "INSERT INTO h.patient (name, id_no) SELECT 'bulk', 'b' || i FROM generate_series(1, 20000) i");
    let id = d.load();
    d.restore(&night);
    // Somebody works on the restored primary: the same key for another patient, and a number that a lacking one has.
    d.primary.psql(DB, "INSERT INTO h.patient (id, name) VALUES (21, 'other'), (90000, 'taken'); UPDATE h.patient SET id_no = 'm2' WHERE id = 90000");
    let running = d.work.start("his-merge", &["backfill", &id]);
    let brought = || d.rows("SELECT count(*) FROM h.patient WHERE name = 'bulk'")[0].parse::<i64>().expect("a number");
    wait_until("the first rows are back", Duration::from_secs(60), || brought() > 0);
    running.kill();
    wait_until("its session has ended", Duration::from_secs(20), || {
        d.rows("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == ["0"]
    });
    assert!((1..20000).contains(&brought()), "{}", brought());
    // Until it is finished, nothing else is merged.
    assert_eq!(d.rows("SELECT finished_at IS NULL FROM his_emergency.backfill"), ["t"]);
    let done = d.backfill(3, &[&id]);
    assert_eq!(brought(), 20000);
    assert_eq!(done["balanced"], true);
    let kinds = |d: &Day| -> Vec<String> {
        let list = d.work.json(0, "his-merge", &["conflicts"]);
        let mut kinds: Vec<String> = list["conflicts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| format!("{} {}", c["kind"].as_str().unwrap(), c["table"].as_str().unwrap_or("-")))
            .collect();
        kinds.sort();
        kinds
    };
    // Patient 21 is another one here, so nothing that needs only a patient 21 waits; the charge of 22 does.
    assert_eq!(
        kinds(&d),
        [
            "depends -",
            "depends -",
            "depends -",
            "depends -",
            "exists h.patient",
            "exists h.patient",
            "exists h.price",
            "exists h.schedule",
            "unique h.patient"
        ]
    );
    assert_eq!(d.rows("SELECT count(*) FROM h.charge WHERE patient_id = 22"), ["0"]);
    assert_eq!(d.rows("SELECT count(*), sum(lines) FROM h.charge WHERE id > 5"), ["11|27"]);
    let once = d.everything();
    let again = d.backfill(3, &[&id]);
    assert_eq!((&again["new"], &again["units"]), (&json!({"merged": 0, "held": 0}), &done["units"]));
    assert_eq!(d.everything(), once);

    // A person decides: the other patient of that number was entered by mistake.
    d.primary.execute(DB, "UPDATE h.patient SET id_no = NULL WHERE id = 90000");
    let conflict = |kind: &str, table: &str| {
        let list = d.work.json(0, "his-merge", &["conflicts"]);
        let found =
            list["conflicts"].as_array().unwrap().iter().find(|c| c["kind"] == kind && c["table"] == table).cloned();
        found.expect("such a conflict")["id"].to_string()
    };
    let price = conflict("exists", "h.price");
    d.work.json(0, "his-merge", &["resolve", &price, "--take", "standby", "--why", "the list of this morning"]);
    assert_eq!(d.rows("SELECT price FROM h.price WHERE code = 'c1'"), ["1.2500"]);
    // And all others at once, because nobody has worked on those rows.
    d.backfill(3, &[&id, "--changed", "snapshot"]);
    assert_eq!(d.rows("SELECT phone FROM h.patient WHERE id = 2"), ["morning"]);
    assert_eq!(d.rows("SELECT name FROM h.patient WHERE id = 21"), ["m1"]);
    assert_eq!(d.rows("SELECT slots_left FROM h.schedule WHERE id = 1"), ["6"]);
}

#[test]
fn a_primary_that_took_the_place_of_another_must_be_said_to_be_one() {
    let mut d = Day::new();
    d.primary.psql(DB, MORNING);
    let id = d.load();
    d.emergency(&EVENT);
    d.work.run("his-export-queue", &[]).expect(0);
    let rebuilt = Cluster::start(Kind::Third);
    rebuilt.create_database(DB);
    rebuilt.execute(DB, SCHEMA);
    d.work.set("primary", "url", &format!("\"{}\"", rebuilt.url(DB)));
    d.work.run("his-switch", &["primary"]).expect(4).says("it is another server");
    let ran = d.work.run("his-merge", &["backfill", &id]).expect(4).says("another server than the snapshot's");
    assert!(ran.hint().contains("--rebuilt"), "{}", ran.hint());
    d.backfill(0, &[&id, "--rebuilt", "--changed", "snapshot"]);
    d.work.json(0, "his-switch", &["primary"]);
    let status = d.work.json(0, "his-merge", &["status"]);
    assert_eq!((&status["balanced"], &status["units"]["merged"]), (&json!(true), &json!(4)));
    assert_eq!(rebuilt.rows(DB, "SELECT slots_left FROM h.schedule ORDER BY id"), ["5", "10", "10", "6"]);
}

#[test]
fn a_database_restored_from_a_dump_on_the_same_server_is_recognised() {
    let d = Day::new();
    let dump = d.work.path().join("night.dump");
    let path = dump.to_string_lossy().into_owned();
    let pg =
        |program: &str, args: &[&str]| Program::at(&crate::support::server::bin(program)).args(args).run().expect(0);
    pg("pg_dump", &["-Fc", "-f", &path, &d.primary.url(DB)]);
    d.primary.psql(DB, MORNING);
    let id = d.load();
    d.work.json(0, "his-switch", &["standby", "--reason", "test"]);
    d.primary.execute("postgres", &format!("DROP DATABASE {DB} WITH (FORCE)"));
    d.primary.create_database(DB);
    pg("pg_restore", &["-d", &d.primary.url(DB), &path]);
    let ran = d.work.run("his-switch", &["primary"]).expect(4).says("its database was dropped and restored");
    assert!(ran.hint().contains(&format!("his-merge backfill {id}")), "{}", ran.hint());
    d.backfill(0, &[&id, "--changed", "snapshot"]);
    d.work.json(0, "his-switch", &["primary"]);
    assert_eq!(d.rows("SELECT count(*) FROM h.patient"), ["50"]);
}

#[test]
fn only_the_rows_restored_shows_in_the_sequences_that_give_keys() {
    let d = Day::new();
    d.load();
    d.primary.execute(DB, "INSERT INTO h.patient (name) VALUES ('a'), ('b')");
    d.load();
    d.work.json(0, "his-switch", &["standby", "--reason", "test"]);
    // A number series may begin anew each day; the key of the patients may not.
    d.primary.execute(DB, "SELECT setval('h.official', 5001, false)");
    d.work.json(0, "his-switch", &["primary", "--dry-run"]);
    d.primary.execute(DB, "DELETE FROM h.patient WHERE id > 20; SELECT setval('h.patient_id_seq', 20)");
    d.work
        .run("his-switch", &["primary"])
        .expect(4)
        .says("its sequence 'h.patient_id_seq' stands at 20 (expected 22 or later");
}

#[test]
fn a_primary_that_went_another_way_before_the_snapshot_is_recognised_however_much_it_did_since() {
    let d = Day::new();
    let night = d.backup("night");
    d.primary.psql(DB, MORNING);
    let id = d.load();
    d.emergency(&[]);
    put_back(&night, &d.primary.data());
    // A recovery begins a new timeline, as a promotion does.
    fs::write(d.primary.data().join("recovery.signal"), "").expect("a file can be written");
    let mut conf = fs::read_to_string(d.primary.data().join("postgresql.auto.conf")).expect("it is there");
    conf.push_str("restore_command = 'false'\n");
    fs::write(d.primary.data().join("postgresql.auto.conf"), conf).expect("a file can be written");
    d.primary.start_again();
    wait_until("it takes writes", Duration::from_secs(30), || d.rows("SELECT pg_is_in_recovery()") == ["f"]);
    // Work until transactions and sequences are past the snapshot's.
    for _ in 0..100 {
        d.primary.execute(DB, "SELECT pg_current_xact_id()");
    }
    d.primary.execute(DB, "SELECT setval(c.oid::regclass, 800000) FROM pg_class c WHERE relkind = 'S' AND relnamespace = 'h'::regnamespace");
    let ran = d.work.run("his-switch", &["primary"]).expect(4).says("its log left timeline 1 at");
    assert!(ran.hint().contains(&format!("his-merge backfill {id}")), "{}", ran.hint());
}

#[test]
fn what_cannot_be_brought_back_whole_is_said_and_counts() {
    let (primary, standby) = Cluster::pair();
    primary.create_database(DB);
    primary.execute(
        DB,
        "CREATE SCHEMA h; CREATE TABLE h.login (who text); CREATE TABLE h.patient (id int PRIMARY KEY, name text, photo bytea);
         CREATE TABLE h.visit (id int PRIMARY KEY, day date, note text);
         INSERT INTO h.login VALUES ('a'), ('a'); INSERT INTO h.patient VALUES (1, 'p', 'x'); INSERT INTO h.visit VALUES (1, '2020-01-01', 'old'), (2, '2026-11-22', 'n')",
    );
    let tables = r#"
[[table]]
name = "h.login"
[[table]]
name = "h.patient"
omit = ["photo"]
[[table]]
name = "h.visit"
where = "day > '2026-01-01'"
capture = true
"#;
    let work = Workplace::new(&primary, &standby, tables);
    primary.execute(DB, "INSERT INTO h.login VALUES ('a'), ('b'); INSERT INTO h.patient VALUES (2, 'q', 'y'); INSERT INTO h.visit VALUES (3, '2026-11-23', 'n')");
    let id = work.json(0, "his-snapshot", &[])["snapshot"].as_str().expect("an id").to_owned();
    primary.execute(DB, "DELETE FROM h.login; INSERT INTO h.login VALUES ('a'), ('a'), ('c'); DELETE FROM h.patient WHERE id = 2; DELETE FROM h.visit WHERE id = 3; UPDATE h.visit SET note = 'newer' WHERE id = 2");
    let done = work.json(3, "his-merge", &["backfill", &id, "--changed", "primary"]);
    let of = |name: &str| {
        let t = done["tables"].as_array().unwrap().iter().find(|t| t["table"] == name).unwrap();
        (t["lacking"].as_u64(), t["changed"].as_u64(), t["only_on_primary"].as_u64())
    };
    assert_eq!(of("h.login"), (Some(2), Some(0), Some(1)));
    assert_eq!(of("h.patient"), (Some(1), Some(0), Some(0)));
    assert_eq!(of("h.visit"), (Some(1), Some(1), None));
    assert_eq!(done["new"], json!({"merged": 2, "held": 0}));
    let said = work.run("his-merge", &["backfill", &id, "--changed", "primary"]).expect(3).stdout;
    assert!(said.contains("2 rows of h.login are lacking and cannot be brought back: it has no key"), "{said}");
    assert_eq!(primary.rows(DB, "SELECT id, name, photo IS NULL FROM h.patient ORDER BY id"), ["1|p|f", "2|q|t"]);
    assert_eq!(primary.rows(DB, "SELECT id, note FROM h.visit ORDER BY id"), ["1|old", "2|newer", "3|n"]);
}

#[test]
fn a_fence_that_is_gone_shows_a_restore_too() {
    let d = Day::new();
    let id = d.load();
    d.work.json(0, "his-switch", &["standby", "--reason", "test"]);
    // As in a backup of before: neither the fence nor that it was ever put on.
    d.primary.execute(DB, "DELETE FROM his_emergency.fence; DELETE FROM his_emergency.fence_event");
    let ran =
        d.work.run("his-switch", &["primary"]).expect(4).says("the fence that was put on it is not there any more");
    assert!(ran.hint().contains("his-merge backfill"), "{}", ran.hint());
    d.backfill(0, &[&id]);
    d.work.json(0, "his-switch", &["primary"]);
}
