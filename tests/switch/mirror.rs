//! A mirror that cannot be written holds no move up, and has everything once it can be.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::Hospital;
use super::precedence::frozen_holder;
use crate::support::Program;

/// With a generation loaded, and a mirror beside the store that has everything.
fn mirrored() -> (Hospital, PathBuf) {
    let mut hospital = Hospital::new();
    hospital.work.set("store", "mirror", "\"mirror\"");
    hospital.load();
    let mirror = hospital.work.path().join("mirror");
    assert_same(&hospital, &mirror);
    (hospital, mirror)
}

/// State, journal and batches of the mirror are the store's.
#[track_caller]
fn assert_same(hospital: &Hospital, mirror: &Path) {
    let store = hospital.work.store();
    for name in ["state.json", "journal.jsonl"] {
        let read = |dir: &Path| fs::read_to_string(dir.join(name)).unwrap_or_default();
        assert_eq!(read(mirror), read(&store), "{name}");
    }
    assert_eq!(batches(mirror), batches(&store));
    for batch in batches(mirror) {
        let check = Program::at(Path::new("/usr/bin/sha256sum")).args(["-c", "--strict", "SHA256SUMS"]);
        check.dir(&mirror.join(batch)).run().expect(0);
    }
}

/// The batches of a store, from its directory on.
fn batches(store: &Path) -> Vec<PathBuf> {
    let list = |dir: PathBuf| fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    let mut found: Vec<PathBuf> = list(store.join("queue")).flat_map(list).collect();
    found.retain(|p| p.file_name().is_some_and(|n| !n.to_string_lossy().starts_with('.')));
    found.iter_mut().for_each(|p| *p = p.strip_prefix(store).unwrap().to_path_buf());
    found.sort();
    found
}

#[test]
fn p16_a_mirror_that_cannot_be_written_holds_no_move_up_and_the_export_brings_it_up_to_date() {
    let (hospital, mirror) = mirrored();
    // A file in its place: nobody, not even root, can make anything there.
    let aside = mirror.with_extension("aside");
    fs::rename(&mirror, &aside).unwrap();
    fs::write(&mirror, "").unwrap();

    let dry = hospital.work.run("his-switch", &["standby", "--reason", "x", "--dry-run"]).expect(0);
    assert!(dry.stderr.contains("could not be written"), "{}", dry.shown());
    let ran = hospital.work.run("his-switch", &["standby", "--reason", "x"]).expect(3);
    let said = format!("the mirror '{}' could not be written (", mirror.display());
    assert!(ran.stderr.contains(&format!("WARNING: {said}")), "{}", ran.shown());
    assert!(ran.stdout.contains(&format!("NOTE: {said}")), "{}", ran.shown());
    assert!(ran.stdout.contains("state stands only in the store"), "{}", ran.shown());
    assert_eq!(hospital.side(), "standby");
    assert_eq!(hospital.journal("mirror"), ["mirror not written"]);

    // A batch counts only when the mirror has it.
    let ran = hospital.work.run("his-export-queue", &[]).expect(1);
    assert!(ran.stderr.contains(&mirror.display().to_string()) && !ran.hint().is_empty(), "{}", ran.shown());
    assert_eq!(batches(&hospital.work.store()), [""; 0].map(PathBuf::from));
    let status = hospital.status();
    assert_eq!((&status["mode"], &status["mirror"]["ok"]), (&json!("standby"), &json!(false)));
    hospital.work.run("his-switch", &["status"]).expect(0).says("is NOT up to date");

    let back = hospital.switch(3, &["primary"]);
    assert_eq!(
        (&back["mode"], &back["units"]["merged"], &back["balanced"]),
        (&json!("normal"), &json!(1), &json!(true))
    );
    assert!(back["warnings"][0].as_str().unwrap().starts_with(&said), "{back}");
    assert_eq!(hospital.side(), "primary");
    hospital.work.run("his-export-queue", &[]).expect(1);

    fs::remove_file(&mirror).unwrap();
    fs::rename(&aside, &mirror).unwrap();
    let status = hospital.status();
    let behind = "it does not have the state, the end of the journal, 2 of the batches";
    assert_eq!(status["mirror"], json!({"path": mirror, "ok": false, "reason": behind}));
    hospital.work.run("his-export-queue", &[]).expect(0);
    assert_eq!(batches(&mirror).len(), 2, "the tail, and the closing record");
    assert_same(&hospital, &mirror);
    assert_eq!(hospital.status()["mirror"], json!({"path": mirror, "ok": true, "reason": null}));
}

#[test]
fn p16_a_mirror_that_never_answers_is_given_up_within_two_seconds() {
    let (hospital, mirror) = mirrored();
    // Whoever opens it waits for somebody at its other end, as at a dead file server.
    let state = mirror.join("state.json");
    fs::remove_file(&state).unwrap();
    Program::at(Path::new("/usr/bin/mkfifo")).args([&state]).run().expect(0);
    let ran = hospital.work.run("his-switch", &["standby", "--reason", "x"]).expect(3);
    assert!(ran.stdout.contains("(no answer within 2 s); state stands only in the store"), "{}", ran.shown());
    assert!(ran.took < Duration::from_secs(5), "{:?}", ran.took);
    assert_eq!(hospital.side(), "standby");
    assert_eq!(hospital.status()["mirror"]["reason"], "no answer within 2 s");
    // The next move finds it mended, and what it writes is complete again.
    fs::remove_file(&state).unwrap();
    hospital.switch(0, &["primary"]);
    assert_same(&hospital, &mirror);
}

#[test]
fn p16_a_run_that_is_frozen_while_it_writes_the_state_or_the_journal_is_ended() {
    for name in ["state", "journal"] {
        let hospital = Hospital::new();
        let mut stuck = frozen_holder(&hospital, name);
        let ran = hospital.work.run("his-switch", &["standby", "--reason", "stuck"]).expect(0);
        assert!(ran.took < Duration::from_secs(5), "{name}: {:?}", ran.took);
        assert!(!stuck.running(), "{name}: it is ended");
        assert_eq!(hospital.side(), "standby");
    }
}
