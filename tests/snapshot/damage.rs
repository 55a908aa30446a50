//! P4: damage is seen.

use serde_json::json;

use super::*;

/// What a damaged snapshot answers to every command that would use it.
#[track_caller]
fn refused(workplace: &Workplace, snapshot: &str, file: &str) {
    let ran = workplace.run(SNAPSHOT, &["verify", "--json"]).expect(5);
    let found = ran.json();
    assert_eq!((&found["snapshot"], &found["ok"]), (&json!(snapshot), &json!(false)));
    let damaged = found["damaged"].as_array().expect("a list");
    assert!(damaged.iter().any(|d| d["file"] == file), "{file} is not named: {found}");
    assert!(damaged.iter().all(|d| d["reason"].as_str().is_some_and(|r| !r.is_empty())), "{found}");
    workplace
        .run(SNAPSHOT, &["verify", snapshot])
        .expect(5)
        .says("DAMAGED")
        .says("HINT: nothing may be loaded from it");
    workplace.json(5, SNAPSHOT, &["verify", "--all"]);
    let medium = workplace.path().join("medium");
    let ran = workplace.run(SNAPSHOT, &["copy", "--to", medium.to_str().expect("a path")]).expect(5);
    assert!(!ran.hint().is_empty());
    assert_eq!(fs::read_dir(&medium).expect("the medium").count(), 0);
}

#[track_caller]
fn sound(workplace: &Workplace) {
    workplace.run(SNAPSHOT, &["verify"]).expect(0);
}

#[test]
fn p4_a_flipped_missing_extra_or_swapped_file_of_a_snapshot_is_refused() {
    let (_primary, _standby, mut workplace) = awkward();
    // With what is kept for a delta.
    workplace.set("store", "full_every", "\"24h\"");
    let taken = take(&workplace);
    let (dir, snapshot) = (path(&taken), id(&taken));
    fs::create_dir(workplace.path().join("medium")).expect("a medium");
    let files = files(&dir);
    assert_eq!(files.len(), 17);
    for file in &files {
        let place = dir.join(file);
        let whole = fs::read(&place).expect("a file");
        for at in [0, whole.len() / 2, whole.len() - 1] {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            fs::write(&place, &flipped).expect("a write");
            // A flipped hash shows at the file that it is of, or as a line that is none.
            let shown = if file == "SHA256SUMS" {
                workplace.json(5, SNAPSHOT, &["verify"])["damaged"][0]["file"].clone()
            } else {
                json!(file)
            };
            refused(&workplace, snapshot, shown.as_str().expect("a file"));
        }
        fs::write(&place, &whole[..whole.len() - 1]).expect("a write");
        refused(&workplace, snapshot, file);
        fs::remove_file(&place).expect("a removal");
        refused(&workplace, snapshot, file);
        fs::write(&place, &whole).expect("a write");
        sound(&workplace);
    }
    for (one, other) in files.iter().zip(&files[1..]) {
        // Two tables may have the same keys.
        if fs::read(dir.join(one)).expect("a file") == fs::read(dir.join(other)).expect("a file") {
            continue;
        }
        let swap = || {
            fs::rename(dir.join(one), dir.join("between")).expect("a rename");
            fs::rename(dir.join(other), dir.join(one)).expect("a rename");
            fs::rename(dir.join("between"), dir.join(other)).expect("a rename");
        };
        swap();
        refused(&workplace, snapshot, if other == "SHA256SUMS" { other } else { one });
        swap();
        sound(&workplace);
    }
    fs::write(dir.join("data/more.csv"), "").expect("a write");
    refused(&workplace, snapshot, "data/more.csv");
}

#[test]
fn p4_a_manifest_that_contradicts_its_files_is_refused_although_every_checksum_holds() {
    let (_primary, _standby, workplace) = awkward();
    let taken = take(&workplace);
    let (dir, snapshot) = (path(&taken), id(&taken).to_owned());
    fs::create_dir(workplace.path().join("medium")).expect("a medium");
    let honest = fs::read_to_string(dir.join("manifest.json")).expect("a manifest");
    let tables = manifest(&dir)["tables"].clone();
    let (file, digest) = (tables[3]["file"].as_str().expect("a file"), tables[3]["digest"].as_str().expect("a digest"));
    let lies = [
        (r#""rows": 4,"#, r#""rows": 5,"#, tables[2]["file"].as_str().expect("a file")),
        (digest, &"0".repeat(64), file),
        (r#""format": 1"#, r#""format": 2"#, "manifest.json"),
        (snapshot.as_str(), "20200101T000000000Z", "manifest.json"),
        (file, "../../../state.json", "manifest.json"),
    ];
    for (truth, lie, named) in lies {
        let text = honest.replacen(truth, lie, 1);
        assert_ne!(text, honest, "{truth} is not there");
        fs::write(dir.join("manifest.json"), text).expect("a write");
        seal(&dir);
        let found = workplace.json(5, SNAPSHOT, &["verify"]);
        let damaged = found["damaged"].as_array().expect("a list");
        assert!(damaged.iter().any(|d| d["file"] == named), "{named} is not named: {found}");
    }
    fs::write(dir.join("manifest.json"), honest).expect("a write");
    seal(&dir);
    sound(&workplace);
}

#[test]
fn a_damaged_newest_snapshot_is_never_passed_over_for_an_older_one() {
    let (_primary, _standby, workplace) = awkward();
    let old = take(&workplace);
    let new = take(&workplace);
    fs::remove_file(path(&new).join("manifest.json")).expect("a removal");
    fs::create_dir(workplace.path().join("medium")).expect("a medium");
    let ran = workplace.run(SNAPSHOT, &["copy", "--to", "medium"]).expect(5);
    ran.says(id(&new)).says("manifest.json: missing");
    workplace.run(SNAPSHOT, &["copy", id(&old), "--to", "medium"]).expect(0);
    let listed = workplace.json(0, SNAPSHOT, &["list"]);
    assert_eq!((&listed["snapshots"][0]["ok"], &listed["snapshots"][1]["ok"]), (&json!(true), &json!(false)));
    let all = workplace.json(5, SNAPSHOT, &["verify", "--all"]);
    assert_eq!(all["snapshots"][0], json!({ "snapshot": id(&old), "ok": true, "damaged": [] }));
    assert_eq!(all["snapshots"][1]["damaged"], json!([{ "file": "manifest.json", "reason": "missing" }]));
}

/// Writes `SHA256SUMS` anew, as somebody with `sha256sum` would.
pub fn seal(dir: &Path) {
    let names = files(dir).into_iter().filter(|name| name != "SHA256SUMS");
    let ran = Command::new("sha256sum").args(names).current_dir(dir).output().expect("sha256sum");
    assert!(ran.status.success());
    fs::write(dir.join("SHA256SUMS"), ran.stdout).expect("a write");
}
