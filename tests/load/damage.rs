//! Damaged snapshots are never loaded.

use super::{Hospital, dir_of, forge, restore};
use serde_json::json;
use std::fs;
use std::path::PathBuf;

#[test]
fn p4_damage_is_seen_a_snapshot_with_a_flipped_missing_or_swapped_file_is_never_loaded() {
    let h = Hospital::small(10);
    h.work.run("his-load-standby", &["init"]).expect(0);
    let id = h.snapshot();
    let dir = dir_of(&h, &id);
    let mut files: Vec<PathBuf> = ["manifest.json", "SHA256SUMS", "schema.dump"].map(|f| dir.join(f)).to_vec();
    files.extend(fs::read_dir(dir.join("data")).expect("data").map(|e| e.expect("an entry").path()));
    for file in &files {
        let sound = fs::read(file).expect("it is there");
        let mut flipped = sound.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        fs::write(file, &flipped).expect("it can be written");
        h.refused(5, &[], "cannot", "");
        fs::remove_file(file).expect("it is there");
        h.refused(5, &[], "cannot", "");
        fs::write(file, &sound).expect("it can be written");
    }
    let (a, b) = (dir.join("schema.dump"), &files[3]);
    let between = dir.join("../between");
    for (from, to) in [(a.as_path(), between.as_path()), (b, &a), (&between, b)] {
        fs::rename(from, to).expect("it can be renamed");
    }
    h.refused(5, &[], "cannot", "");
    for (from, to) in [(a.as_path(), between.as_path()), (b, &a), (&between, b)] {
        fs::rename(from, to).expect("it can be renamed");
    }
    fs::write(dir.join("extra"), "x").expect("it can be written");
    h.refused(5, &[], "not listed", "another copy");
    fs::remove_file(dir.join("extra")).expect("it is there");
    h.load();
}

#[test]
fn p3_whole_or_not_at_all_a_generation_that_reads_back_differently_is_dropped() {
    let h = Hospital::small(10);
    h.work.run("his-load-standby", &["init"]).expect(0);
    let id = h.snapshot();
    let sound = forge(&dir_of(&h, &id), |manifest| manifest["tables"][0]["digest"] = json!("00".repeat(32)));
    h.refused(
        5,
        &[],
        "cannot verify 'public.t' on the standby: it gives back 10 rows with digest",
        "his-snapshot verify",
    );
    assert_eq!(h.states(), ["0 closed"]);
    restore(&sound);
    assert_eq!(h.load()["generation"], 2, "a number is never used twice");
}

#[test]
fn p4_damage_is_seen_a_manifest_of_another_format_site_or_kind_is_named_as_such() {
    let h = Hospital::small(10);
    let id = h.snapshot();
    let dir = dir_of(&h, &id);
    for (key, value, code, says) in [
        ("format", json!(2), 5, "its format is 2 (expected 1)"),
        ("site", json!("99"), 4, "it is of site '99' (the profile is of '01')"),
        ("kind", json!("delta"), 5, "it is a delta and names no parent"),
        ("tables", json!([]), 4, "it has no table 'public.t', which the profile names"),
    ] {
        let sound = forge(&dir, |manifest| manifest[key] = value);
        h.refused(code, &[], says, "");
        restore(&sound);
    }
}
