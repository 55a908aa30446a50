//! One thing broken at a time.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use super::{States, date, look, states, text, turned, well};
use crate::support::workplace::DB;
use crate::support::{Mode, Program, Proxy, aloud};
use crate::switch::Hospital;

/// A hospital where all is well, and how its checks stand.
fn ready() -> (Hospital, States) {
    let hospital = well();
    let json = look(&hospital);
    assert_eq!(json["verdict"], "READY", "{json:#}");
    let states = states(&json);
    (hospital, states)
}

/// Runs SQL in the first generation, which is read-only by default while it is closed.
fn write(hospital: &Hospital, sql: &str) {
    hospital.standby.execute("his_g1", &format!("SET TRANSACTION READ WRITE; {sql}"));
}

const SECOND: Duration = Duration::from_millis(1100);

#[test]
fn a_primary_that_is_stopped_is_dead_by_two_signals_and_the_standby_is_still_ready_for_it() {
    let (hospital, before) = ready();
    hospital.primary.stop_fast();
    let gone = ["apart unknown", "primary critical", "primary-clock unknown", "primary-time unknown", "DEGRADED"];
    assert_eq!(turned(&hospital, &before), gone);
    let json = look(&hospital);
    assert!(text(&json, "primary").starts_with("DEAD: no session, and its port is closed"), "{json}");
    assert_eq!(json["scope"], "all");
    assert!(json["advice"].as_str().unwrap().contains("his-switch standby --reason"), "{json}");
    hospital.primary.start_again();
    assert_eq!(turned(&hospital, &before), ["READY"]);
}

#[test]
fn a_frozen_primary_hangs_and_is_not_called_dead() {
    let (hospital, before) = ready();
    hospital.primary.freeze();
    let hung = ["apart unknown", "primary critical", "primary-clock unknown", "primary-time unknown", "DEGRADED"];
    assert_eq!(turned(&hospital, &before), hung);
    let json = look(&hospital);
    assert!(text(&json, "primary").starts_with("HUNG: "), "{json}");
    assert!(json["advice"].as_str().unwrap().contains("close and reopen their program"), "{json}");
    hospital.primary.thaw();
    assert_eq!(turned(&hospital, &before), ["READY"]);
}

#[test]
fn a_primary_that_lets_nobody_in_is_neither_hung_nor_dead() {
    let (hospital, before) = ready();
    hospital.primary.execute("postgres", "ALTER DATABASE his ALLOW_CONNECTIONS false");
    let shut = ["apart unknown", "primary critical", "primary-clock unknown", "primary-time unknown", "DEGRADED"];
    assert_eq!(turned(&hospital, &before), shut);
    assert!(text(&look(&hospital), "primary").starts_with("runs, and gives no session: "));
}

#[test]
fn a_slow_primary_is_measured_against_its_own_usual_answer() {
    let mut hospital = well();
    let line = Proxy::unix(&hospital.primary);
    hospital.work.set("primary", "url", &format!("\"{}\"", line.url(DB)));
    for _ in 0..6 {
        look(&hospital);
    }
    let before = states(&look(&hospital));
    line.set(Mode::Delay(Duration::from_millis(150)));
    assert_eq!(turned(&hospital, &before), ["primary-time warning", "DEGRADED"]);
    let json = look(&hospital);
    assert!(text(&json, "primary-time").contains("(usually "), "{json}");
    assert_eq!(json["scope"], "part");
    line.set(Mode::Pass);
    assert_eq!(turned(&hospital, &before), ["READY"]);
}

#[test]
fn without_the_standby_nothing_is_ready_whether_it_is_stopped_or_frozen() {
    let (hospital, before) = ready();
    let gone = [
        "apart unknown",
        "data-age unknown",
        "gate unknown",
        "guards unknown",
        "load unknown",
        "numbers unknown",
        "standby critical",
        "standby-clock unknown",
        "NOT READY",
    ];
    hospital.standby.freeze();
    assert_eq!(turned(&hospital, &before), gone);
    let json = look(&hospital);
    assert!(text(&json, "standby").contains("every new connection of a window waits its connect_timeout"), "{json}");
    hospital.standby.stop_immediate();
    assert_eq!(turned(&hospital, &before), gone);
    assert!(text(&look(&hospital), "standby").starts_with("cannot be reached"));
    hospital.standby.start_again();
    assert_eq!(turned(&hospital, &before), ["READY"]);
    hospital.standby.stop_fast();
    hospital.primary.stop_fast();
    let json = look(&hospital);
    assert!(json["advice"].as_str().unwrap().contains("this machine's own line"), "{json}");
}

#[test]
fn a_frozen_standby_is_seen_within_a_minute_of_a_timer_that_runs_each_minute() {
    let hospital = well();
    hospital.standby.freeze();
    hospital.primary.freeze();
    let ran = hospital.work.program("his-watch", &[]).run().expect(4);
    // A bound for a hang and no measurement: the run has to end before the next one begins.
    assert!(ran.took < Duration::from_secs(40), "{:?}", ran.took);
}

#[test]
fn a_standby_that_is_open_in_normal_times_is_told_and_so_is_one_that_died_open() {
    let (hospital, before) = ready();
    write(&hospital, "SELECT setval('his_emergency.gate', his_emergency.server_started())");
    assert_eq!(turned(&hospital, &before), ["gate critical", "NOT READY"]);
    hospital.standby.stop_immediate();
    hospital.standby.start_again();
    assert!(text(&look(&hospital), "gate").starts_with("DIED OPEN"));
}

#[test]
fn old_data_warns_and_much_older_data_is_not_ready() {
    let (mut hospital, before) = ready();
    hospital.work.set("limits", "max_age", "\"1s\"");
    sleep(SECOND);
    assert_eq!(turned(&hospital, &before)[..1], ["data-age warning"]);
    hospital.work.set("limits", "max_age", "\"1ms\"");
    assert_eq!(turned(&hospital, &before), ["data-age critical", "NOT READY"]);
}

#[test]
fn a_snapshot_that_is_not_loaded_in_time_is_told() {
    let (mut hospital, before) = ready();
    hospital.work.run("his-snapshot", &["-q"]).expect(0);
    assert_eq!(turned(&hospital, &before), ["READY"]);
    hospital.work.set("limits", "max_age", "\"1s\"");
    sleep(SECOND);
    assert_eq!(turned(&hospital, &before)[1..], ["load warning", "DEGRADED"]);
}

#[test]
fn a_gate_that_was_taken_away_and_a_window_that_could_not_log_in_are_not_ready() {
    let (mut hospital, before) = ready();
    // Each load is a generation of its own, so that the second one lets go of the one that is not guarded.
    hospital.work.only_full();
    write(&hospital, "ALTER EVENT TRIGGER his_emergency_ddl DISABLE");
    assert_eq!(turned(&hospital, &before), ["guards critical", "NOT READY"]);
    hospital.load();
    assert_eq!(turned(&hospital, &before)[..1], ["guards critical"], "the old generation is still there");
    hospital.load();
    assert_eq!(turned(&hospital, &before), ["READY"]);
    hospital.standby.execute("postgres", "ALTER ROLE his_app NOLOGIN");
    assert_eq!(turned(&hospital, &before), ["guards critical", "NOT READY"]);
}

#[test]
fn a_number_block_warns_before_it_is_used_up() {
    let (hospital, before) = ready();
    let set = |last: u32| write(&hospital, &format!("SELECT setval('op.charge_id_seq', {last})"));
    set(979_999);
    assert_eq!(turned(&hospital, &before), ["READY"]);
    set(980_000);
    assert_eq!(turned(&hospital, &before), ["numbers warning", "DEGRADED"]);
    assert_eq!(text(&look(&hospital), "numbers"), "op.charge_id_seq: 19999 of 100000 left");
    set(999_999);
    assert_eq!(turned(&hospital, &before), ["numbers critical", "NOT READY"]);
}

#[test]
fn the_hospitals_own_check_turns_below_its_limits_and_a_wrong_one_says_why() {
    let mut hospital = well();
    let own = "[[check]]\nname = \"receipts\"\nsql = \"receipts.sql\"\non = \"primary\"\nwarn = 100\ncritical = 10\n";
    let tables = crate::switch::TABLES.to_owned() + own;
    hospital.work.edit(|profile| {
        profile.tables(&tables);
    });
    let ask = |left: u32| {
        let sql = format!("SELECT 'cashier 7', {left}::bigint UNION ALL SELECT 'cashier 8', 5000");
        fs::write(hospital.work.path().join("receipts.sql"), sql).unwrap();
    };
    ask(100);
    hospital.load();
    let before = states(&look(&hospital));
    ask(99);
    assert_eq!(turned(&hospital, &before), ["receipts warning", "DEGRADED"]);
    assert_eq!(text(&look(&hospital), "receipts"), "cashier 7: 99");
    ask(9);
    assert_eq!(turned(&hospital, &before), ["receipts critical", "NOT READY"]);
    fs::write(hospital.work.path().join("receipts.sql"), "DELETE FROM op.charge RETURNING 'x', id").unwrap();
    assert_eq!(turned(&hospital, &before), ["receipts unknown", "DEGRADED"]);
    assert_eq!(hospital.primary.value(DB, "SELECT count(*) FROM op.charge"), "20");
}

#[test]
fn a_clock_that_differs_is_told_of_both_servers() {
    let (hospital, before) = ready();
    let ran = hospital.work.program("his-watch", &["--json"]).clock("+30s").run();
    let now = states(&ran.expect(3).json());
    let differs: Vec<&String> = now.iter().filter(|(n, s)| before[*n] != **s).map(|(n, _)| n).collect();
    assert_eq!(differs, ["primary-clock", "standby-clock"]);
}

#[test]
fn a_damaged_snapshot_batch_or_journal_is_told() {
    let (hospital, before) = ready();
    hospital.open();
    hospital.standby.execute(DB, "INSERT INTO op.charge (total, who) VALUES (1, 'w')");
    hospital.work.run("his-export-queue", &["-q"]).expect(0);
    let open = states(&look(&hospital));
    let batch = hospital.work.store().join("queue/01-0001/000001/manifest.json");
    let sound = fs::read_to_string(&batch).unwrap();
    fs::write(&batch, sound.replace("01-0001", "01-0002")).unwrap();
    assert_eq!(turned(&hospital, &open)[..1], ["chain critical"]);
    fs::write(&batch, sound).unwrap();
    let journal = hospital.work.store().join("journal.jsonl");
    let sound = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, sound.replacen("\"result\":\"done\"", "\"result\":\"gone\"", 1)).unwrap();
    assert_eq!(turned(&hospital, &open)[..1], ["chain critical"]);
    fs::write(&journal, sound).unwrap();
    assert_eq!(turned(&hospital, &open).len(), 1);
    let snapshots = fs::read_dir(hospital.work.store().join("snapshots")).unwrap().flatten();
    let newest = snapshots.map(|d| d.path()).max().unwrap();
    fs::write(newest.join("manifest.json"), "{}").unwrap();
    assert_eq!(turned(&hospital, &open)[..1], ["snapshot critical"]);
    assert_eq!(before["snapshot"], "ok");
}

#[test]
fn units_that_nobody_exports_merges_or_decides_are_told() {
    let (mut hospital, before) = ready();
    hospital.work.set("watch", "units", "\"1s\"");
    hospital.open();
    hospital.standby.execute(DB, "UPDATE op.charge SET who = 'window' WHERE id = 1");
    sleep(SECOND);
    assert_eq!(turned(&hospital, &before), ["units warning", "DEGRADED"]);
    hospital.work.run("his-export-queue", &["-q"]).expect(0);
    assert_eq!(turned(&hospital, &before), ["READY"]);
    hospital.primary.execute(DB, "UPDATE op.charge SET who = 'primary' WHERE id = 1");
    hospital.work.run("his-switch", &["primary", "--merge-later"]).expect(3);
    let json = look(&hospital);
    assert_eq!(text(&json, "units"), "1 units of 01-0001 are not merged", "{json}");
    hospital.work.run("his-merge", &[]).expect(3);
    assert_eq!(text(&look(&hospital), "units"), "1 units of 01-0001 wait for a person");
}

#[test]
fn a_lock_that_is_held_for_long_belongs_to_a_stuck_run() {
    let (mut hospital, before) = ready();
    hospital.work.set("watch", "lock", "\"1s\"");
    let _held = crate::exit_codes::held(&hospital, "snapshot");
    assert_eq!(turned(&hospital, &before), ["locks warning", "DEGRADED"]);
}

#[test]
fn an_offline_copy_a_drill_and_a_restore_test_grow_old() {
    let (mut hospital, before) = ready();
    hospital.work.set("watch", "offline_copy", "\"1ms\"");
    assert_eq!(turned(&hospital, &before), ["offline-copy warning", "DEGRADED"]);
    hospital.work.edit(|p| {
        p.unset("watch", "offline_copy").set("watch", "drill", "\"1ms\"");
    });
    assert_eq!(turned(&hospital, &before), ["drill warning", "DEGRADED"]);
}

#[test]
fn an_old_plan_old_contacts_and_a_role_without_a_deputy_are_told() {
    let (hospital, before) = ready();
    let path = hospital.work.path().join("plan.toml");
    let sound = fs::read_to_string(&path).unwrap();
    let (today, old) = (date("today"), date("400 days ago"));
    fs::write(&path, sound.replace(&format!("reviewed = \"{today}\""), &format!("reviewed = \"{old}\""))).unwrap();
    assert_eq!(turned(&hospital, &before), ["plan warning", "DEGRADED"]);
    fs::write(&path, sound.replace(&format!("checked = \"{today}\""), &format!("checked = \"{old}\""))).unwrap();
    assert_eq!(turned(&hospital, &before), ["contacts warning", "DEGRADED"]);
    let deputy = sound.find("[[role.person]]\nname = \"乙\"").unwrap();
    let cause = sound.find("[[cause]]").unwrap();
    fs::write(&path, sound[..deputy].to_owned() + &sound[cause..]).unwrap();
    assert_eq!(turned(&hospital, &before), ["contacts warning", "DEGRADED"]);
    assert_eq!(text(&look(&hospital), "contacts"), "without a deputy: commander");
    fs::remove_file(&path).unwrap();
    assert_eq!(turned(&hospital, &before), ["contacts unknown", "plan warning", "supplies unknown", "DEGRADED"]);
}

#[test]
fn supplies_below_their_minimum_or_not_counted_are_told() {
    let (hospital, before) = ready();
    hospital.work.run("his-incident", &["supplies", "--counted", "slips=99"]).expect(0);
    assert_eq!(turned(&hospital, &before), ["supplies warning", "DEGRADED"]);
    assert_eq!(text(&look(&hospital), "supplies"), "slips: 99 (at least 100)");
}

#[test]
fn passwords_are_told_before_they_expire() {
    let (hospital, before) = ready();
    hospital.primary.execute("postgres", "ALTER ROLE his_app VALID UNTIL '2999-01-01'");
    assert_eq!(turned(&hospital, &before), ["READY"]);
    hospital.primary.execute("postgres", &format!("ALTER ROLE his_app VALID UNTIL '{}'", date("5 days")));
    assert_eq!(turned(&hospital, &before), ["passwords warning", "DEGRADED"]);
    hospital.primary.execute("postgres", "ALTER ROLE his_app VALID UNTIL '2020-01-01'");
    assert_eq!(turned(&hospital, &before), ["passwords critical", "DEGRADED"]);
}

#[test]
fn a_full_disk_and_a_mirror_that_is_behind_are_told() {
    let mut hospital = well();
    let Some(disk) = SmallDisk::new(&hospital) else { return };
    hospital.work.edit(|p| {
        p.set("store", "mirror", &format!("\"{}\"", disk.path)).set("watch", "accept", "[\"apart\", \"restore-test\"]");
    });
    hospital.load();
    let before = states(&look(&hospital));
    assert_eq!(before["mirror"], "ok", "a disk of its own");
    fs::write(format!("{}/ballast", disk.path), vec![0; 15_200_000]).unwrap();
    assert_eq!(turned(&hospital, &before), ["disk warning", "DEGRADED"]);
    fs::write(format!("{}/more", disk.path), vec![0; 1_300_000]).unwrap();
    assert_eq!(turned(&hospital, &before)[..1], ["disk critical"]);
    fs::remove_file(format!("{}/ballast", disk.path)).unwrap();
    fs::remove_file(format!("{}/more", disk.path)).unwrap();
    fs::remove_file(format!("{}/state.json", disk.path)).unwrap();
    assert_eq!(turned(&hospital, &before), ["mirror warning", "DEGRADED"]);
    drop(disk);
    // Nothing is mounted any more: what is written there lies on our own disk, unnoticed but for this line.
    hospital.load();
    assert_eq!(turned(&hospital, &before), ["mirror warning", "DEGRADED"]);
    assert!(text(&look(&hospital), "mirror").ends_with("is on the same disk as the store"));
}

/// A file system of 16 MB, for root.
struct SmallDisk {
    path: String,
}

impl SmallDisk {
    fn new(hospital: &Hospital) -> Option<SmallDisk> {
        let path = hospital.work.path().join("disk").display().to_string();
        fs::create_dir(&path).unwrap();
        let mounted = Program::at("/bin/mount".as_ref())
            .args(["-t", "tmpfs", "-o", "size=16m,mode=0777", "his-test", &path])
            .run();
        if mounted.code == 0 {
            return Some(SmallDisk { path });
        }
        aloud(&format!("SKIPPED: a small disk cannot be mounted here (only root may): {}", mounted.stderr.trim()));
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Program::at("/bin/umount".as_ref()).args([&self.path]).run();
    }
}
