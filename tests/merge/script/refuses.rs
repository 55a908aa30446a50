//! What a script refuses, and that nothing of it is left behind then.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::{MEANWHILE, WINDOWS, World};
use crate::support::wait_until;
use crate::support::workplace::DB;

#[test]
fn a_script_whose_psql_is_killed_leaves_nothing_behind() {
    let w = World::new();
    w.window(&WINDOWS);
    w.primary.execute(DB, MEANWHILE);
    let script = w.script(&[&w.export()]);
    let before = w.everything();
    let text = fs::read_to_string(&script).expect("a script");
    let slow = w.work.path().join("slow.sql");
    fs::write(&slow, text.replace("\nCOMMIT;\n", "\nSELECT pg_sleep(100);\nCOMMIT;\n")).expect("a file");
    let running = w.start(&slow, &w.primary, DB);
    wait_until("everything is written but the commit", Duration::from_secs(60), || {
        w.primary.rows("postgres", "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'") == ["1"]
    });
    // Meanwhile nobody else merges.
    w.psql(&script).expect(3).says("another merge is running");
    w.work.run("his-merge", &["--early"]).expect(7);
    running.kill();
    wait_until("its session has ended", Duration::from_secs(20), || {
        w.primary.execute(
            "postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'",
        );
        w.primary.rows(DB, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == ["0"]
    });
    assert_eq!(w.everything(), before);
    assert_eq!(w.primary.rows(DB, "SELECT to_regclass('his_emergency.unit') IS NULL"), ["t"]);
    w.psql(&script).expect(0);
}

#[test]
fn a_script_refuses_every_primary_that_it_was_not_written_for_and_changes_nothing() {
    let w = World::new();
    w.window(&["UPDATE h.patient SET phone = 'fine' WHERE id = 8"]);
    let first = w.export();
    w.window(&[
        "INSERT INTO h.sale (id, drug_id, qty, total) VALUES (1, 1, 3, 3.75)",
        "UPDATE h.visit SET fee = 6 WHERE id = 1",
    ]);
    let second = w.export();
    let script = w.script(&[&second]);
    w.refuses(&script, "batch 1 of 01-0001 is missing");

    let script = w.script(&[&first, &second]);
    w.primary.create_database("other");
    w.start(&script, &w.primary, "other").wait().expect(3).says("is another database of this server");
    w.start(&script, &w.standby, "postgres").wait().expect(3).says("this primary is another server");
    for (change, undo, says) in [
        (
            "ALTER TABLE h.visit ADD COLUMN note text",
            "ALTER TABLE h.visit DROP COLUMN note",
            "table h.visit has other columns",
        ),
        (
            "ALTER TABLE h.sale ALTER total TYPE numeric(12,2)",
            "ALTER TABLE h.sale ALTER total TYPE numeric(12,4)",
            "table h.sale has other columns",
        ),
        (
            "CREATE UNIQUE INDEX more ON h.visit (day, id)",
            "DROP INDEX h.more",
            "table h.visit has other keys or unique rules",
        ),
        (
            "ALTER TABLE h.sale DROP CONSTRAINT sale_drug_id_fkey",
            "ALTER TABLE h.sale ADD FOREIGN KEY (drug_id) REFERENCES h.drug",
            "table h.drug is referenced by other foreign keys",
        ),
        (
            "CREATE TABLE h.bill (visit_id bigint REFERENCES h.visit)",
            "DROP TABLE h.bill",
            "table h.visit is referenced by other foreign keys",
        ),
        (
            "ALTER TABLE h.sale DISABLE TRIGGER USER",
            "ALTER TABLE h.sale ENABLE TRIGGER USER",
            "table h.sale has triggers where it had none, or none where it had some",
        ),
        (
            "ALTER TABLE h.patient RENAME TO person",
            "ALTER TABLE h.person RENAME TO patient",
            "table h.patient is not there",
        ),
    ] {
        w.primary.execute(DB, change);
        w.refuses(&script, says);
        w.primary.execute(DB, undo);
    }
    let text = fs::read_to_string(&script).expect("a script");
    let row = text
        .lines()
        .find(|l| l.contains("\t3.7500\t") || l.ends_with("\t3.7500"))
        .unwrap_or_else(|| text.lines().find(|l| l.contains("3.7500")).expect("the sale"));
    let cut = w.work.path().join("cut.sql");
    fs::write(&cut, text.replace(&format!("{row}\n"), "")).expect("a file");
    w.refuses(&cut, "this script is not as it was written");

    // Merged, and what the store then knows is more than what the primary put back knows.
    let before = w.backup();
    w.psql(&script).expect(0);
    w.settle(0);
    w.put_back(&before);
    let script = w.script(&[&first, &second]);
    w.refuses(&script, "its merge ledger ends at run 0 (expected at least 1)");
}

#[test]
fn without_a_snapshot_that_knows_the_tables_no_script_is_written() {
    let w = World::new();
    w.window(&["UPDATE h.patient SET phone = 'fine' WHERE id = 8"]);
    let first = w.export();
    w.window(&["UPDATE h.patient SET phone = 'fine' WHERE id = 9"]);
    let second = w.export();
    w.window(&["UPDATE h.patient SET phone = 'fine' WHERE id = 10"]);
    let third = w.export();
    w.work.run("his-merge", &["sql", &first, &third]).expect(5).says("it does not follow batch 1");
    w.work.run("his-merge", &["sql"]).expect(2);
    let newer = w.work.json(0, "his-snapshot", &[]);
    let newer = newer["snapshot"].as_str().expect("an id");
    let all = [&first, &second, &third].map(String::as_str);
    for dir in fs::read_dir(w.work.store().join("snapshots")).expect("snapshots").flatten() {
        if dir.file_name() != newer {
            fs::remove_dir_all(dir.path()).expect("it can be removed");
        }
    }
    let ran = w.work.run("his-merge", &[&["sql"], &all[..]].concat()).expect(4).says("is not in the store");
    assert!(ran.hint().contains("--snapshot"), "{}", ran.hint());
    // The tables as they are now are as good.
    let path = w.work.path().join("merge.sql").to_string_lossy().into_owned();
    w.work.run("his-merge", &[&["sql", "--snapshot", newer, "--output", &path], &all[..]].concat()).expect(0);
    w.psql(Path::new(&path)).expect(0);
    assert_eq!(w.settle(0)["units"]["merged"], 3);
}
