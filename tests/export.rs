//! The queue leaves the standby: whole, chained, and the same again after any accident.

use crate::opened::Opened;
use crate::support::Program;
use crate::support::workplace::DB;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const SCHEMA: &str = "
CREATE SCHEMA h;
CREATE TABLE h.parent (id bigserial PRIMARY KEY, name text);
CREATE TABLE h.child (id bigserial PRIMARY KEY, parent_id bigint REFERENCES h.parent, amount numeric(12,4));
CREATE TABLE h.odd (id int PRIMARY KEY, f float8, by bytea, d date, iv interval, at timestamptz);";

const TABLES: &str = r#"
[[table]]
name = "h.parent"
capture = true
[[table]]
name = "h.child"
capture = true
money = ["amount"]
[[table]]
name = "h.odd"
capture = true
[[numbers]]
sequence = "h.parent_id_seq"
block = [900000, 999999]
"#;

fn opened() -> Opened {
    Opened::new(SCHEMA, TABLES)
}

fn batch(o: &Opened, number: u64) -> PathBuf {
    o.work.store().join(format!("queue/01-0001/{number:06}"))
}

fn write(o: &Opened, n: usize) {
    for _ in 0..n {
        o.window(&["WITH p AS (INSERT INTO h.parent (name) VALUES ('x') RETURNING id) INSERT INTO h.child (parent_id, amount) SELECT id, 1.25 FROM p"]);
    }
}

#[test]
fn a_batch_holds_whole_units_and_says_so_in_its_manifest() {
    let o = opened();
    write(&o, 3);
    let made = o.work.json(0, "his-export-queue", &[]);
    assert_eq!(
        (&made["event"], &made["closed"], &made["batches"][0]["units"], &made["batches"][0]["rows"]),
        (&json!("01-0001"), &json!(false), &json!(3), &json!(6))
    );
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(batch(&o, 1).join("manifest.json")).unwrap()).unwrap();
    assert_eq!(
        manifest["totals"],
        json!({"units": 3, "rows": 6, "money": [{"table": "h.child", "column": "amount", "sum": "3.7500"}]})
    );
    assert_eq!(made["batches"][0]["sha256"], o.work.json(0, "his-export-queue", &["list"])["batches"][0]["sha256"]);
    let nothing = o.work.json(0, "his-export-queue", &[]);
    assert_eq!(nothing, json!({"event": "01-0001", "batches": [], "closed": false}));
}

#[test]
fn a_dry_run_says_what_would_be_exported_and_merged_and_changes_nothing() {
    let o = opened();
    write(&o, 3);
    assert_eq!(
        o.work.json(0, "his-export-queue", &["--dry-run"]),
        json!({"event": "01-0001", "units": 3, "dry_run": true})
    );
    assert!(!batch(&o, 1).exists());
    o.work.run("his-export-queue", &[]).expect(0);
    let untouched = o.primary.digest(DB);
    let plan = o.work.json(0, "his-merge", &["--dry-run"]);
    assert_eq!((&plan["batches"][0]["batch"], &plan["batches"][0]["units"]), (&json!(1), &json!(3)));
    assert_eq!(o.primary.digest(DB), untouched);
    assert_eq!(o.merge(0)["new"]["merged"], 3);
    assert_eq!(o.work.json(0, "his-merge", &["--dry-run"])["batches"], json!([]));
}

#[test]
fn sha256sum_checks_every_batch_without_a_tool_of_ours() {
    let o = opened();
    for _ in 0..3 {
        write(&o, 1);
        o.work.run("his-export-queue", &[]).expect(0);
    }
    for number in 1..=3 {
        Program::at(Path::new("/usr/bin/sha256sum"))
            .args(["-c", "--strict", "SHA256SUMS"])
            .dir(&batch(&o, number))
            .run()
            .expect(0);
    }
}

#[test]
fn without_an_event_there_is_nothing_to_export() {
    let o = opened();
    fs::remove_file(o.work.store().join("state.json")).unwrap();
    assert_eq!(o.work.json(0, "his-export-queue", &[]), json!({"event": null, "batches": [], "closed": false}));
}

#[test]
fn the_closing_record_is_refused_while_the_standby_is_open() {
    let o = opened();
    write(&o, 1);
    let ran = o.work.run("his-export-queue", &["--final"]).expect(4);
    assert_eq!(ran.hint(), "his-switch primary closes it and writes the closing record by itself.");
}

#[test]
fn no_batch_holds_a_child_without_its_parent_also_beside_an_old_open_transaction() {
    let o = opened();
    let mut old = o.standby.client(DB);
    old.batch_execute("BEGIN; INSERT INTO h.parent (id, name) VALUES (5000, 'slow')").unwrap();
    let (mut parents, mut children) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..5 {
        write(&o, 4);
        if round == 3 {
            old.batch_execute("INSERT INTO h.child (parent_id, amount) VALUES (5000, 1); COMMIT").unwrap();
        }
        o.work.run("his-export-queue", &[]).expect(0);
        let number = round + 1;
        let ids = |file: &str, column: &str| -> Vec<String> {
            let mut reader = csv::Reader::from_path(batch(&o, number).join(file)).unwrap();
            let at = reader.headers().unwrap().iter().position(|h| h == column).unwrap();
            reader.records().map(|r| r.unwrap()[at].to_owned()).collect()
        };
        parents.extend(ids("0001_h.parent.csv", "new.id"));
        children.extend(ids("0002_h.child.csv", "new.parent_id"));
        assert!(children.is_subset(&parents), "batch {number} has a child before its parent");
    }
    assert_eq!((parents.len(), children.len()), (21, 21));
    assert!(parents.contains("5000"));
}

#[test]
fn p3_a_batch_that_the_store_lost_is_made_again_byte_for_byte() {
    let o = opened();
    write(&o, 5);
    o.window(&[
        "INSERT INTO h.odd VALUES (1, 0.1234567890123456, '\\xfe5c00', '2026-02-03', '-1 days -02:03:04', now())",
    ]);
    o.work.run("his-export-queue", &[]).expect(0);
    let files = |dir: &Path| -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().path())
            .map(|p| (p.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&p).unwrap()))
            .collect();
        files.sort();
        files
    };
    let before = files(&batch(&o, 1));
    fs::remove_dir_all(batch(&o, 1)).unwrap();
    // Also when the standby's database writes its values in another way by now.
    o.standby.execute(
        DB,
        "ALTER DATABASE his SET extra_float_digits = -3; ALTER DATABASE his SET bytea_output = 'escape';
         ALTER DATABASE his SET DateStyle = 'SQL, DMY'; ALTER DATABASE his SET IntervalStyle = 'sql_standard';
         ALTER DATABASE his SET TimeZone = 'America/Chicago';",
    );
    write(&o, 1);
    let made = o.work.json(0, "his-export-queue", &[]);
    assert_eq!((&made["batches"][0]["batch"], &made["batches"][1]["batch"]), (&json!(1), &json!(2)));
    assert_eq!(files(&batch(&o, 1)), before);
    o.work.run("his-export-queue", &["verify"]).expect(0);
}

#[test]
fn p3_no_batch_is_visible_whose_units_are_not_marked_by_a_commit() {
    let o = opened();
    write(&o, 2);
    // What the commit of the export has to do, it cannot do.
    o.standby.execute(
        DB,
        "DO $$ DECLARE e name; BEGIN FOR e IN SELECT evtname FROM pg_event_trigger LOOP EXECUTE format('ALTER EVENT TRIGGER %I DISABLE', e); END LOOP; END $$;
         CREATE FUNCTION h.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
         CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON his_emergency.exported DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION h.fail();",
    );
    o.work.run("his-export-queue", &[]).expect(1).says("cannot record the batch in the standby");
    assert!(!batch(&o, 1).exists());
    assert_eq!(o.work.json(0, "his-export-queue", &["list"])["batches"], json!([]));
    o.standby.execute(DB, "DROP TRIGGER fail ON his_emergency.exported");
    assert_eq!(o.work.json(0, "his-export-queue", &[])["batches"][0]["units"], 2);
}

#[test]
fn p4_damage_is_seen_in_any_file_of_a_batch_and_nothing_is_merged() {
    let o = opened();
    for _ in 0..2 {
        write(&o, 2);
        o.work.run("his-export-queue", &[]).expect(0);
    }
    let untouched = o.primary.digest(DB);
    let refused = |what: &str| {
        o.work.run("his-export-queue", &["verify"]).expect(5);
        o.work.run("his-export-queue", &["list"]).expect(5);
        let dir = batch(&o, 1);
        let ran = o.work.run("his-merge", &["--early", &dir.to_string_lossy()]).expect(5);
        assert!(!ran.hint().is_empty(), "{what}");
        o.work.run("his-merge", &["--early"]).expect(5);
        assert_eq!(o.primary.digest(DB), untouched, "{what}");
    };
    let names: Vec<PathBuf> = fs::read_dir(batch(&o, 1)).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(names.len(), 5);
    for name in &names {
        let whole = fs::read(name).unwrap();
        let mut flipped = whole.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        fs::write(name, &flipped).unwrap();
        refused(&format!("one bit of {} flipped", name.display()));
        fs::remove_file(name).unwrap();
        refused(&format!("{} removed", name.display()));
        fs::write(name, &whole).unwrap();
    }
    let (a, b) = (
        names.iter().find(|n| n.ends_with("units.csv")).unwrap(),
        names.iter().find(|n| n.ends_with("manifest.json")).unwrap(),
    );
    swap(a, b);
    refused("two files swapped");
    swap(a, b);
    fs::write(batch(&o, 1).join("extra"), "x").unwrap();
    refused("one file too many");
    fs::remove_file(batch(&o, 1).join("extra")).unwrap();
    o.work.run("his-export-queue", &["verify"]).expect(0);
}

#[test]
fn p4_damage_is_seen_when_batches_are_swapped_missing_or_rebuilt() {
    let o = opened();
    for _ in 0..3 {
        write(&o, 1);
        o.work.run("his-export-queue", &[]).expect(0);
    }
    let aside = o.work.store().join("aside");
    // The middle one missing: what comes before it is merged, then exit 5.
    fs::rename(batch(&o, 2), &aside).unwrap();
    o.work.run("his-merge", &["--early"]).expect(5).says("batch 2 of event '01-0001' is missing");
    assert_eq!(o.rows("SELECT count(*) FROM h.parent"), ["1"]);
    // Two exchanged.
    fs::rename(batch(&o, 3), batch(&o, 2)).unwrap();
    fs::rename(&aside, batch(&o, 3)).unwrap();
    o.work.run("his-merge", &["--early"]).expect(5);
    o.work.run("his-export-queue", &["verify"]).expect(5);
    assert_eq!(o.rows("SELECT count(*) FROM h.parent"), ["1"]);
    fs::rename(batch(&o, 3), &aside).unwrap();
    fs::rename(batch(&o, 2), batch(&o, 3)).unwrap();
    fs::rename(&aside, batch(&o, 2)).unwrap();
    o.work.run("his-merge", &["--early"]).expect(0);
    assert_eq!(o.rows("SELECT count(*) FROM h.parent"), ["3"]);
}

fn swap(a: &Path, b: &Path) {
    let (one, two) = (fs::read(a).unwrap(), fs::read(b).unwrap());
    fs::write(a, two).unwrap();
    fs::write(b, one).unwrap();
}

#[test]
fn a_standby_that_is_down_is_exit_6_and_a_second_export_exit_7() {
    let o = opened();
    write(&o, 1);
    let lock = o.work.store().join("locks/export.lock");
    let holder = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&lock).unwrap();
    holder.lock().unwrap();
    fs::write(
        &lock,
        r#"{"program":"his-export-queue","pid":4711,"host":"elsewhere","by":"anna","since":"2026-11-23T01:02:03Z"}"#,
    )
    .unwrap();
    let ran = o.work.run("his-export-queue", &[]).expect(7);
    ran.says(
        "his-export-queue (process 4711 on elsewhere, started by anna) holds the lock since 2026-11-23 09:02:03 +08:00",
    );
    drop(holder);
    o.standby.stop_immediate();
    o.work.run("his-export-queue", &[]).expect(6).says("HINT: check that the server runs");
    o.standby.start_again();
    o.work.run("his-export-queue", &[]).expect(0);
}

#[test]
fn an_immediate_stop_of_the_standby_right_after_an_export_loses_no_exported_unit() {
    let o = opened();
    // Windows that do not wait for the disk: what they committed may be lost, but not once it is in a batch.
    o.standby.execute(DB, "SET default_transaction_read_only = off; ALTER DATABASE his SET synchronous_commit = off");
    write(&o, 20);
    let made = o.work.json(0, "his-export-queue", &[]);
    o.standby.stop_immediate();
    o.standby.start_again();
    assert_eq!(made["batches"][0]["units"], 20);
    assert_eq!(o.standby.value(DB, "SELECT count(*) FROM h.parent"), "20");
    assert_eq!(o.work.json(0, "his-export-queue", &[])["batches"], json!([]));
}

#[test]
fn p7_once_export_and_merge_killed_at_any_moment_end_as_if_undisturbed() {
    let o = opened();
    let undisturbed = opened();
    let mut kills = 0;
    for round in 0..20_u32 {
        write(&o, 5);
        write(&undisturbed, 5);
        for (program, args) in [("his-export-queue", &[][..]), ("his-merge", &["--early"][..])] {
            let began = Instant::now();
            let mut running = o.work.start(program, args);
            let until = Duration::from_millis(u64::from(round * 7 % 40) * 3);
            while began.elapsed() < until && running.running() {
                std::thread::sleep(Duration::from_millis(1));
            }
            if running.running() {
                kills += 1;
            }
            running.kill();
        }
    }
    assert!(kills > 10, "only {kills} runs were killed");
    // A killed session of his-merge may hold its lock on the primary for a moment more.
    let limit = Instant::now();
    loop {
        o.work.run("his-export-queue", &[]).expect(0);
        let ran = o.work.run("his-merge", &["--early"]);
        if ran.code == 0 {
            break;
        }
        assert!(ran.code == 7 && limit.elapsed() < Duration::from_secs(10), "{}", ran.shown());
    }
    undisturbed.merge(0);
    for table in ["h.parent", "h.child"] {
        assert_eq!(o.primary.table_rows(DB, table, &[]), undisturbed.primary.table_rows(DB, table, &[]));
    }
    let ledger = "SELECT status, count(*), sum(rows) FROM his_emergency.unit GROUP BY 1";
    assert_eq!(o.rows(ledger), ["merged|100|200"]);
    assert_eq!(o.work.json(0, "his-merge", &["status"])["balanced"], true);
    o.work.run("his-export-queue", &["verify"]).expect(0);
}
