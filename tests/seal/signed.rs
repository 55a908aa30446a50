//! Who wrote it: minisign signatures over `SHA256SUMS`.

use super::{exported, key, rewrite, signing, snapshot, system};
use crate::support::workplace::DB;
use std::fs;

#[test]
fn every_snapshot_and_batch_is_signed_minisign_accepts_them_and_the_whole_chain_runs() {
    let (hospital, public) = signing();
    hospital.open();
    let batch = exported(&hospital, "first");
    for (dir, what) in [(snapshot(&hospital), "snapshot "), (batch, "batch 1 of event 01-0001 of site 01")] {
        let sums = dir.join("SHA256SUMS").to_string_lossy().into_owned();
        system("minisign", &["-V", "-m", &sums, "-P", &public])
            .expect(0)
            .says("Signature and comment signature verified")
            .says(what);
    }
    hospital.switch(0, &["primary"]);
    assert_eq!(hospital.primary.value(DB, "SELECT count(*) FROM op.charge WHERE who = 'first'"), "1");
    hospital.work.run("his-export-queue", &["verify"]).expect(0);
    hospital.work.run("his-snapshot", &["verify", "--all"]).expect(0);
}

#[test]
fn p4_a_batch_that_an_attacker_rewrote_with_all_its_checksums_is_refused_by_everything_that_reads_it() {
    let (hospital, _) = signing();
    hospital.open();
    let batch = exported(&hospital, "first");
    let file = fs::read_dir(&batch).expect("there").flatten().map(|e| e.file_name().to_string_lossy().into_owned());
    let file = file.into_iter().find(|f| f.ends_with("op.charge.csv")).expect("the charges");
    rewrite(&batch, &file, |csv| String::from_utf8_lossy(csv).replace("first", "forge").into_bytes());
    let dir = batch.to_string_lossy().into_owned();
    for (program, args) in [
        ("his-merge", vec!["--early"]),
        ("his-merge", vec!["--early", &dir]),
        ("his-merge", vec!["--early", "--dry-run"]),
        ("his-merge", vec!["sql", &dir]),
        ("his-export-queue", vec!["verify"]),
        ("his-switch", vec!["primary"]),
    ] {
        let ran = hospital.work.run(program, &args).expect(5);
        ran.says("SHA256SUMS.minisig: it is not of this SHA256SUMS");
    }
    assert_eq!(hospital.primary.value(DB, "SELECT count(*) FROM op.charge WHERE who IN ('first', 'forge')"), "0");
    // Signed by somebody else, and not signed at all.
    let (other, _) = key(&hospital, "other.key");
    let sums = batch.join("SHA256SUMS").to_string_lossy().into_owned();
    system("minisign", &["-S", "-s", &other, "-m", &sums]).expect(0);
    hospital.work.run("his-merge", &["--early"]).expect(5).says("it is of a key that [sign] trusted does not name");
    fs::remove_file(batch.join("SHA256SUMS.minisig")).expect("there");
    hospital.work.run("his-merge", &["--early"]).expect(5).says("SHA256SUMS.minisig: missing");
    // What the standby has is made again when the forged one is out of the way.
    fs::rename(&batch, hospital.work.path().join("forged")).expect("moved");
    hospital.switch(0, &["primary"]);
    assert_eq!(hospital.primary.value(DB, "SELECT count(*) FROM op.charge WHERE who = 'first'"), "1");
}

#[test]
fn p4_a_snapshot_that_an_attacker_rewrote_with_all_its_checksums_is_neither_loaded_nor_copied() {
    let (hospital, _) = signing();
    hospital.work.run("his-snapshot", &["-q"]).expect(0);
    let dir = snapshot(&hospital);
    rewrite(&dir, "schema.dump", |dump| [dump, b"x".as_slice()].concat());
    let refused = "SHA256SUMS.minisig: it is not of this SHA256SUMS";
    hospital.work.run("his-load-standby", &[]).expect(5).says(refused);
    let stick = hospital.work.path().join("stick");
    fs::create_dir(&stick).expect("new");
    hospital.work.run("his-snapshot", &["copy", "--to", &stick.to_string_lossy()]).expect(5).says(refused);
    hospital
        .work
        .run("his-snapshot", &["verify"])
        .expect(5)
        .says("SHA256SUMS.minisig")
        .says("it is not of this SHA256SUMS");
}

#[test]
fn a_site_changes_its_key_while_both_are_trusted_and_an_old_key_that_is_not_any_more_signs_nothing() {
    let (mut hospital, old) = signing();
    hospital.open();
    exported(&hospital, "first");
    let (secret, new) = key(&hospital, "new.key");
    hospital.work.set("sign", "trusted", &format!("[{old:?}, {new:?}]"));
    hospital.work.set("sign", "key", &format!("{secret:?}"));
    exported(&hospital, "second");
    hospital.work.run("his-merge", &["--early"]).expect(0).says("merged 2 units");
    hospital.work.run("his-export-queue", &["verify"]).expect(0);
    // The old key is given up when nothing that it signed is needed any more.
    hospital.work.set("sign", "trusted", &format!("[{new:?}]"));
    hospital.work.run("his-export-queue", &["verify"]).expect(5).says("01-0001/000001").says("trusted does not name");
    hospital.work.set("sign", "trusted", &format!("[{old:?}]"));
    let ran = hospital.work.run("his-snapshot", &[]).expect(2);
    assert!(ran.stderr.contains("is not among [sign] trusted"), "{}", ran.shown());
    assert!(ran.hint().contains("what it signs would be refused here"), "{}", ran.shown());
}

#[test]
fn a_secret_key_that_others_can_read_or_that_wants_a_password_is_refused_with_what_to_do() {
    use std::os::unix::fs::PermissionsExt;
    let (hospital, _) = signing();
    let secret = hospital.work.path().join("site.key");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o640)).expect("ours");
    hospital.work.run("his-snapshot", &[]).expect(2).says("can be read by others (its mode is 640, expected 600)");
    fs::remove_file(&secret).expect("there");
    hospital.work.run("his-snapshot", &[]).expect(2).says("use the signing key").says("No such file");
    // Nothing else needs the key: the windows are switched without it.
    hospital.open();
    let mut hospital = hospital;
    hospital.work.set("sign", "trusted", "[\"not a key\"]");
    hospital.work.run("his-switch", &["status"]).expect(2).says("[sign]: 'trusted' names 'not a key'");
}
