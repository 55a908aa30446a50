//! What earlier versions wrote is read by this one: a store of each version of the formats lies in `samples/formats`, with a
//! snapshot, the batches of an event, state and journal. `HIS_WRITE_FORMATS=1` writes that of this version, once.

use std::fs;
use std::path::{Path, PathBuf};

use his_emergency::formats::{batch, snapshot};

use crate::support::workplace::DB;
use crate::support::{Cluster, Profile, Workplace, copy};
use crate::switch::{Hospital, TABLES};

/// The version that a store is frozen of: snapshots, batches and the state count alike.
const NEWEST: u32 = 1;

fn frozen(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/formats").join(version.to_string())
}

/// A morning with an event of three batches that nobody has merged yet.
fn write(to: &Path) {
    let hospital = Hospital::new();
    hospital.open();
    for who in ["first", "second"] {
        let charge = format!("INSERT INTO op.charge (total, who) VALUES (12.3456, '{who}')");
        hospital.standby.client_as("his_app", DB).batch_execute(&charge).expect("it is open");
        hospital.work.run("his-export-queue", &[]).expect(0);
    }
    hospital.work.run("his-switch", &["primary", "--merge-later"]).expect(3);
    fs::create_dir_all(to.parent().expect("a folder")).expect("made");
    copy(&hospital.work.store(), to);
    fs::remove_dir_all(to.join("locks")).expect("there");
}

#[test]
fn every_version_of_the_formats_is_frozen_in_the_samples() {
    assert_eq!(
        (snapshot::FORMAT, batch::FORMAT),
        (NEWEST, NEWEST),
        "freeze a store of the new version, then raise NEWEST"
    );
    if std::env::var_os("HIS_WRITE_FORMATS").is_some() {
        assert!(!frozen(NEWEST).exists(), "what is frozen is never written again");
        write(&frozen(NEWEST));
    }
    let there = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/formats")).expect("the samples");
    assert_eq!(there.count(), NEWEST as usize);
}

#[test]
fn a_store_of_each_earlier_version_is_read_verified_and_loaded() {
    for version in 1..=NEWEST {
        let (primary, standby) = Cluster::pair();
        let mut profile = Profile::new(&primary, &standby);
        profile.tables(TABLES);
        profile.set("standby", "window_roles", "[\"his_app\"]").set("site", "language", "\"en\"");
        let work = Workplace::with(profile);
        fs::remove_dir_all(work.store()).expect("a fresh one");
        copy(&frozen(version), &work.store());
        work.run("his-snapshot", &["verify", "--all"]).expect(0);
        work.run("his-export-queue", &["verify"]).expect(0);
        let list = work.json(0, "his-export-queue", &["list"]);
        let batches = list["batches"].as_array().expect("a list");
        let units: Vec<u64> = batches.iter().filter_map(|b| b["units"].as_u64()).collect();
        assert_eq!(
            (units.as_slice(), &batches[2]["closing"]),
            (&[1, 1, 0][..], &true.into()),
            "version {version}: {list}"
        );
        // State and journal, with the primary of that day nowhere.
        primary.stop_fast();
        let status = work.json(0, "his-switch", &["status"]);
        assert_eq!(
            (&status["event"], &status["journal"]["ok"]),
            (&"01-0001".into(), &true.into()),
            "version {version}"
        );
        // Every row of the batches.
        let queue = work.store().join("queue/01-0001");
        let dirs: Vec<String> = (1..=3).map(|n| queue.join(format!("{n:06}")).to_string_lossy().into_owned()).collect();
        let mut args = vec!["sql", "--output", "merge.sql"];
        args.extend(dirs.iter().map(String::as_str));
        work.run("his-merge", &args).expect(0);
        let script = fs::read_to_string(work.path().join("merge.sql")).expect("written");
        assert!(script.contains("first") && script.contains("second"), "version {version}");
        // Every row of the snapshot.
        work.run("his-load-standby", &["init"]).expect(0);
        let loaded = work.json(0, "his-load-standby", &[]);
        assert_eq!((&loaded["rows"], &loaded["verified"]), (&20.into(), &true.into()), "version {version}");
    }
}
