//! Who may read it: data files that are stored encrypted with age.

use super::{exported, snapshot, system};
use crate::support::Program;
use crate::support::workplace::DB;
use crate::switch::Hospital;
use std::fs;
use std::path::{Path, PathBuf};

/// A department whose data files are encrypted, with a mirror.
fn encrypting() -> (Hospital, String) {
    let mut hospital = Hospital::without_generation();
    let identity = hospital.work.path().join("age.txt").to_string_lossy().into_owned();
    let said = system("age-keygen", &["-o", &identity]).expect(0).stderr;
    let recipient = said.trim().strip_prefix("Public key: ").expect("age-keygen says it").to_owned();
    hospital.work.set("encrypt", "recipients", &format!("[{recipient:?}]"));
    hospital.work.set("encrypt", "identity", &format!("{identity:?}"));
    hospital.work.set("store", "mirror", "\"mirror\"");
    hospital.primary.execute(DB, "INSERT INTO op.charge (total, who) VALUES (1, '赵秘密')");
    hospital.load();
    (hospital, identity)
}

fn files_with(folder: &Path, text: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if fs::read(&path).expect("ours").windows(text.len()).any(|w| w == text.as_bytes()) {
                found.push(path);
            }
        }
    }
    found
}

fn csv_in(dir: &Path) -> PathBuf {
    let files = fs::read_dir(dir).expect("there").flatten().map(|e| e.path());
    let is_charges = |p: &PathBuf| p.to_string_lossy().contains("op.charge.csv");
    files.into_iter().find(is_charges).expect("the charges")
}

#[test]
fn nothing_that_is_stored_or_travels_can_be_read_without_the_key_and_the_whole_chain_runs() {
    let (hospital, identity) = encrypting();
    hospital.open();
    let batch = exported(&hospital, "钱秘密");
    let stick = hospital.work.path().join("stick");
    fs::create_dir(&stick).expect("new");
    hospital.work.run("his-snapshot", &["copy", "--to", &stick.to_string_lossy()]).expect(0);
    for folder in [hospital.work.store(), hospital.work.path().join("mirror"), stick] {
        assert_eq!(files_with(&folder, "秘密"), Vec::<PathBuf>::new());
    }
    // Plain sha256sum checks what is stored; age and zstd read it one after the other.
    for dir in [snapshot(&hospital), batch.clone()] {
        Program::at(Path::new("sha256sum")).args(["-c", "--quiet", "SHA256SUMS"]).dir(&dir).run().expect(0);
    }
    let (snapshot_csv, batch_csv) = (csv_in(&snapshot(&hospital).join("data")), csv_in(&batch));
    let open = format!("age -d -i {identity} {} | zstd -d", snapshot_csv.display());
    system("sh", &["-c", &open]).expect(0).says("赵秘密");
    system("age", &["-d", "-i", &identity, &batch_csv.to_string_lossy()]).expect(0).says("钱秘密");
    hospital.switch(0, &["primary"]);
    assert_eq!(hospital.primary.value(DB, "SELECT count(*) FROM op.charge WHERE who = '钱秘密'"), "1");
    hospital.work.run("his-snapshot", &["verify", "--all"]).expect(0);
    hospital.work.run("his-export-queue", &["verify"]).expect(0);
    hospital.work.run("his-merge", &["reconcile"]).expect(0);
}

#[test]
fn a_machine_without_the_key_writes_what_it_cannot_read_and_says_so_when_it_should() {
    let (mut hospital, _) = encrypting();
    hospital.work.edit(|profile| {
        profile.unset("encrypt", "identity");
    });
    hospital.work.run("his-snapshot", &["-q"]).expect(0);
    hospital.work.run("his-snapshot", &["verify", "--all"]).expect(0);
    let ran = hospital.work.run("his-load-standby", &[]).expect(1);
    assert!(ran.stderr.contains("it is encrypted, and the profile has no [encrypt] identity"), "{}", ran.shown());
}

#[test]
fn p7_an_encrypted_batch_that_is_lost_comes_back_from_the_mirror_and_the_last_one_from_the_standby() {
    let (hospital, _) = encrypting();
    hospital.open();
    let (first, second) = (exported(&hospital, "first"), exported(&hospital, "second"));
    for batch in [&first, &second] {
        fs::remove_dir_all(batch).expect("there");
    }
    hospital.work.run("his-export-queue", &[]).expect(0).says("taking it from the mirror");
    hospital.work.run("his-export-queue", &["verify"]).expect(0);
    let mirrored = hospital.work.path().join("mirror/queue/01-0001/000002");
    for batch in [&second, &mirrored] {
        fs::remove_dir_all(batch).expect("there");
    }
    hospital.work.run("his-export-queue", &[]).expect(0).says("making it again from the standby");
    hospital.work.run("his-export-queue", &["verify"]).expect(0);
    // One in the middle that is nowhere else: its bytes cannot be made twice, and what follows is chained to them.
    exported(&hospital, "third");
    for batch in [&second, &mirrored] {
        fs::remove_dir_all(batch).expect("there");
    }
    hospital.work.run("his-export-queue", &[]).expect(5).says("make batch 2 of '01-0001' again");
}
