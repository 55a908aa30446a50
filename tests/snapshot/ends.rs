//! Every exit code, with its hint.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::*;
use crate::support::{Mode, Proxy, aloud};

#[test]
fn exit_1_a_full_disk_leaves_the_old_snapshots_as_they_were() {
    let script = "CREATE TABLE big (id int PRIMARY KEY, text text); INSERT INTO big SELECT i, md5(i::text) || md5((-i)::text) FROM generate_series(1, 60000) i;";
    let (primary, _standby, mut workplace) = hospital(script, "[[table]]\nname = \"public.big\"\n");
    let small = workplace.path().join("small");
    fs::create_dir(&small).expect("a directory");
    let mount =
        |args: &[&str]| Command::new("mount").args(args).arg(&small).output().is_ok_and(|ran| ran.status.success());
    if !mount(&["-t", "tmpfs", "-o", "size=4m", "tmpfs"]) {
        aloud("SKIPPED: no small disk can be mounted (mount -t tmpfs wants root)");
        return;
    }
    let unmount = Unmount(small.clone());
    workplace.set("store", "dir", "\"small/store\"");
    workplace.set("store", "compress", "\"none\"");
    primary.psql("his", "CREATE TABLE all_of_it AS SELECT * FROM big; DELETE FROM big WHERE id > 20");
    let taken = take(&workplace);
    let before = workplace.json(0, SNAPSHOT, &["list"])["snapshots"][0]["stored_bytes"].clone();
    primary.psql("his", "INSERT INTO big SELECT * FROM all_of_it WHERE id > 20");
    let ran = workplace.run(SNAPSHOT, &[]).expect(1).says("cannot download 'public.big': No space left on device");
    let hint =
        "the disk is full; nothing old was touched. Free space (his-snapshot prune), then run the same command again.";
    assert_eq!(ran.hint(), hint);
    let left: Vec<_> = fs::read_dir(small.join("store/snapshots")).expect("a store").flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(workplace.json(0, SNAPSHOT, &["verify"])["snapshot"], id(&taken));
    assert_eq!(workplace.json(0, SNAPSHOT, &["list"])["snapshots"][0]["stored_bytes"], before);
    drop(unmount);
}

struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn exit_1_a_table_that_hides_rows_from_us_is_not_downloaded() {
    let script = format!(
        "{AWKWARD} ALTER TABLE outpatient.line ENABLE ROW LEVEL SECURITY; CREATE ROLE his_download LOGIN; GRANT pg_read_all_data TO his_download;"
    );
    let (primary, _standby, mut workplace) = hospital(&script, AWKWARD_TABLES);
    workplace.set("primary", "url", &format!("\"{}\"", primary.url_as("his_download", "his")));
    let ran = workplace.run(SNAPSHOT, &[]).expect(1).says("cannot download 'outpatient.line'");
    let hint =
        "row-level security would hide rows: give the role of [primary] url BYPASSRLS, so that it sees them all.";
    assert_eq!(ran.hint(), hint);
    primary.psql("his", "ALTER ROLE his_download BYPASSRLS");
    take(&workplace);
}

#[test]
fn exit_2_mistakes_of_the_profile_are_told_all_at_once_with_their_lines() {
    let (primary, _standby, mut workplace) = awkward();
    let tables = "[[table]]\nname = \"outpatient.gone\"\n[[table]]\nname = 'public.\"tblClaim_1\"'\n[[table]]\nname = \"outpatient.line\"\nomit = [\"none\"]\n";
    workplace.edit(|profile| {
        profile.tables(tables);
    });
    let text = fs::read_to_string(workplace.config()).expect("a profile");
    let first = text.lines().position(|l| l == "[[table]]").expect("a table") + 1;
    let ran = workplace.run(SNAPSHOT, &[]).expect(2).says("3 mistakes");
    for (line, said) in [
        (first, "outpatient.gone: the primary has no such table"),
        (first + 2, "public.\"tblClaim_1\": is a partition; name its root 'public.\"tblClaim\"' instead"),
        (first + 4, "outpatient.line: 'omit' names 'none', which is no column of it"),
    ] {
        assert!(ran.stderr.contains(&format!("  line {line}, {said}\n")), "{}", ran.shown());
    }
    assert_eq!(ran.hint(), "mend these lines of the profile; his-snapshot check lists everything else too.");
    workplace.edit(|profile| {
        profile.tables("[[table]]\nname = \"outpatient.visit\"\nwhere = \"at > 'yesteryear'\"\n");
    });
    let ran = workplace.run(SNAPSHOT, &["--json"]).expect(2);
    let error = ran.json();
    assert_eq!(error["exit"], 2);
    let hint = "mend `where` of this [[table]]; it is evaluated as `SELECT … FROM table WHERE (…)`.";
    assert_eq!(error["hint"], hint);
    assert!(primary.running());
}

#[test]
fn exit_2_wrong_use_is_said_with_a_hint() {
    let (_primary, _standby, workplace) = awkward();
    for args in [
        &["--nothing"][..],
        &["--full", "list"],
        &["verify", "20200101T000000000Z"],
        &["verify", "../../etc"],
        &["copy"],
        &["verify", "--all", "20200101T000000000Z"],
    ] {
        let ran = workplace.run(SNAPSHOT, args).expect(2);
        assert!(!ran.hint().is_empty(), "{}", ran.shown());
        let ran = workplace.program(SNAPSHOT, args).args(["--json"]).run().expect(2);
        assert_eq!(ran.json()["exit"], 2);
    }
}

#[test]
fn exit_4_without_a_snapshot_there_is_nothing_to_verify_or_copy() {
    let (_primary, _standby, workplace) = awkward();
    for args in [&["verify"][..], &["copy", "--to", "."]] {
        let ran = workplace.run(SNAPSHOT, args).expect(4).says("has none");
        assert_eq!(ran.hint(), "take one: his-snapshot.");
    }
    assert_eq!(workplace.json(0, SNAPSHOT, &["list"]), json!({ "snapshots": [], "offline_copy": null }));
    assert_eq!(workplace.json(0, SNAPSHOT, &["verify", "--all"]), json!({ "snapshots": [] }));
}

#[test]
fn exit_4_a_clock_that_went_back_does_not_make_an_old_snapshot_the_newest() {
    let (_primary, _standby, workplace) = awkward();
    let taken = take(&workplace);
    let future = path(&taken).with_file_name("29990101T000000000Z");
    fs::rename(path(&taken), &future).expect("a rename");
    let ran = workplace.run(SNAPSHOT, &[]).expect(4).says("this machine's clock went back");
    assert!(ran.hint().starts_with("set this machine's clock"), "{}", ran.hint());
}

#[test]
fn exit_6_a_primary_that_is_down_or_goes_down_leaves_nothing_visible() {
    let (primary, _standby, workplace) = hospital(SLOW, SLOW_TABLES);
    let mut running = workplace.start(SNAPSHOT, &[]);
    running.wait_for("downloading 1 tables");
    thread::sleep(Duration::from_millis(300));
    primary.stop_immediate();
    let ran = running.wait().expect(6);
    assert!(!ran.hint().is_empty());
    assert_eq!(entries(&workplace), [""; 0]);
    let ran = workplace.run(SNAPSHOT, &["--json"]).expect(6);
    let error = ran.json();
    assert_eq!(error["exit"], 6);
    assert_eq!(error["hint"], "check that the server runs and can be reached, then run the same command again.");
    workplace.run(SNAPSHOT, &["check"]).expect(6);
    assert_eq!(workplace.json(0, SNAPSHOT, &["list"])["snapshots"], json!([]));
}

#[test]
fn exit_6_a_primary_that_falls_silent_counts_as_lost_after_half_a_minute() {
    let (primary, _standby, mut workplace) = hospital(SLOW, SLOW_TABLES);
    let proxy = Proxy::unix(&primary);
    workplace.set("primary", "url", &format!("\"{}\"", proxy.url("his")));
    let mut running = workplace.start(SNAPSHOT, &[]);
    running.wait_for("downloading 1 tables");
    thread::sleep(Duration::from_millis(300));
    proxy.set(Mode::Swallow);
    let began = Instant::now();
    let ran = running.wait().expect(6).says("the primary has said nothing for 30 s");
    assert!(!ran.hint().is_empty());
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    assert_eq!(entries(&workplace), [""; 0]);
    let began = Instant::now();
    workplace.run(SNAPSHOT, &[]).expect(6);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn exit_7_a_second_run_says_who_holds_the_lock_since_when() {
    let (_primary, _standby, workplace) = hospital(SLOW, SLOW_TABLES);
    let mut first = workplace.start(SNAPSHOT, &["--by", "night shift"]);
    first.wait_for("downloading 1 tables");
    let ran = workplace.run(SNAPSHOT, &[]).expect(7);
    let who = format!("his-snapshot (process {} on ", first.pid());
    let ran = ran.says(&who).says("started by night shift) holds the lock since 2");
    assert_eq!(ran.hint(), "wait for that run to end; his-switch ends it by itself in an emergency.");
    workplace.run(SNAPSHOT, &["prune"]).expect(7);
    // Queries are not in anybody's way.
    workplace.run(SNAPSHOT, &["list"]).expect(0);
    workplace.run(SNAPSHOT, &["--dry-run"]).expect(0);
}

#[test]
fn a_dry_run_says_what_would_be_downloaded_and_does_nothing() {
    let (_primary, _standby, mut workplace) = awkward();
    // What a profile that asks for no deltas is told.
    workplace.only_full();
    let plan = workplace.json(0, SNAPSHOT, &["take", "--dry-run"]);
    assert_eq!((&plan["dry_run"], &plan["kind"]), (&json!(true), &json!("full")));
    assert_eq!((&plan["parent"], &plan["why"]), (&Value::Null, &json!("the profile asks for no deltas")));
    let tables: Vec<&str> =
        plan["tables"].as_array().expect("a list").iter().filter_map(|t| t["table"].as_str()).collect();
    assert_eq!(tables.len(), 6);
    assert_eq!(plan["tables"][5]["where"], "recent(at) -- of this year");
    assert_eq!(entries(&workplace), [""; 0]);
    assert_eq!(journal(&workplace), []);
}

#[test]
fn p17_no_password_is_in_the_process_list_a_message_or_the_journal() {
    let (primary, _standby, mut workplace) = awkward();
    primary.psql("his", "CREATE ROLE his_download LOGIN PASSWORD 'geheim-9'; GRANT pg_read_all_data TO his_download;");
    let url = primary.url_as("his_download", "his").replacen("his_download@", "his_download:geheim-9@", 1);
    workplace.set("primary", "url", &format!("\"{url}\""));
    let mut running = workplace.start(SNAPSHOT, &["-vvv"]);
    while running.running() {
        for process in fs::read_dir("/proc").expect("/proc").flatten() {
            let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
            assert!(!String::from_utf8_lossy(&line).contains("geheim"), "{}", String::from_utf8_lossy(&line));
        }
    }
    let ran = running.wait().expect(0);
    assert!(!ran.shown().contains("geheim"), "{}", ran.shown());
    primary.stop_fast();
    let ran = workplace.run(SNAPSHOT, &["-vvv"]).expect(6);
    assert!(!ran.shown().contains("geheim"), "{}", ran.shown());
    let journal = fs::read_to_string(workplace.store().join("journal.jsonl")).expect("a journal");
    assert_eq!(journal.lines().count(), 2);
    assert!(!journal.contains("geheim"));
}
