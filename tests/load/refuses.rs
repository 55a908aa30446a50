//! What refuses a load, with exit code and hint.

use super::{Hospital, LEDGER, dir_of, forge, restore};
use crate::support::workplace::DB;
use crate::support::{Program, Proxy};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

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
    // There, but not as it was written; and then as it was.
    let dir = h.work.store().join("queue/01-0001/000001");
    fs::create_dir_all(&dir).expect("it can be made");
    fs::write(dir.join("manifest.json"), "{}").expect("it can be written");
    let sums = Program::at(Path::new("/bin/sh"))
        .args(["-c", "sha256sum manifest.json > SHA256SUMS; sha256sum < SHA256SUMS"])
        .dir(&dir)
        .run()
        .expect(0);
    h.write("his_g1", &format!("UPDATE his_emergency.batch SET sha256 = '{}'", &sums.stdout[..64]));
    fs::write(dir.join("manifest.json"), "{ }").expect("it can be written");
    h.refused(4, &[], "made of generation 1, is not whole in the store", "a damaged one move away first");
    fs::write(dir.join("manifest.json"), "{}").expect("it can be written");
    assert_eq!(h.load()["generation"], 2);
}

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
fn a_standby_or_primary_that_is_down_a_wrong_id_and_a_second_run_have_their_exit_codes() {
    let h = Hospital::small(200_000);
    h.refused(4, &[], "has none", "his-snapshot");
    h.snapshot();
    h.refused(2, &["20200101T000000000Z"], "the store has no such snapshot", "his-snapshot list");
    h.refused(2, &["--accept-shrink", "list"], "go with a load", "--help");
    h.refused(2, &["--no-such-flag"], "unexpected argument", "--help");

    let mut first = h.work.start("his-load-standby", &[]);
    first.wait_for("read back");
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
fn a_row_or_a_locale_that_the_standby_does_not_take_is_exit_1_and_nothing_is_left() {
    let mut h = Hospital::small(10);
    h.primary.execute(DB, "ALTER TABLE t ADD COLUMN secret_name text NOT NULL DEFAULT 'Wang'; ALTER TABLE t ALTER secret_name DROP DEFAULT");
    h.work.edit(|p| {
        p.tables("[[table]]\nname = \"public.t\"\nomit = [\"secret_name\"]\n");
    });
    h.snapshot();
    h.refused(
        1,
        &[],
        "cannot fill 'public.t': NULL in a column that forbids it, table t, column secret_name (SQLSTATE 23502)",
        "omit",
    );
    h.work.edit(|p| {
        p.tables("[[table]]\nname = \"public.t\"\n");
    });
    let id = h.snapshot();
    let sound = forge(&dir_of(&h, &id), |manifest| manifest["primary"]["collate"] = json!("xx_YY.UTF-8"));
    h.refused(1, &[], "does not take the primary's encoding UTF8 with collation 'xx_YY.UTF-8'", "install that locale");
    restore(&sound);
    h.load();
}

#[test]
fn a_store_that_cannot_be_written_is_exit_1_and_old_generations_stay() {
    let h = Hospital::small(10);
    h.snapshot();
    h.load();
    h.snapshot();
    // A directory in the place of the file: nobody, not even root, can write it.
    let state = h.work.store().join("state.json");
    let text = fs::read(&state).expect("a state");
    fs::remove_file(&state).expect("it is there");
    fs::create_dir(&state).expect("it can be made");
    h.refused(1, &[], "state.json", "");
    fs::remove_dir(&state).expect("it is there");
    fs::write(&state, text).expect("it can be written");
    h.load();
}
