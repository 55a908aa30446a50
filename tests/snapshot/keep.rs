//! Which snapshots stay: prune, and the offline copy.

use serde_json::{Value, json};

use super::damage::seal;
use super::*;

/// Makes the newest snapshot one that was taken at another time.
fn retake(workplace: &Workplace, at: &str) {
    let taken = take(workplace);
    let dir = path(&taken);
    let time = format!(
        "{}-{}-{}T{}:{}:{}.{}Z",
        &at[0..4],
        &at[4..6],
        &at[6..8],
        &at[9..11],
        &at[11..13],
        &at[13..15],
        &at[15..18]
    );
    let mut m = manifest(&dir);
    m["snapshot"] = json!(at);
    m["taken_at"] = json!(time);
    fs::write(dir.join("manifest.json"), m.to_string()).expect("a write");
    seal(&dir);
    fs::rename(&dir, dir.with_file_name(at)).expect("a rename");
}

fn of(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|entry| entry["snapshot"].as_str().expect("an id")).collect()
}

const TIMES: [&str; 6] = [
    "20201102T040000000Z",
    "20201109T040000000Z",
    "20201110T040000000Z",
    "20201110T050000000Z",
    "20201116T040000000Z",
    "20201117T040000000Z",
];

fn with_history() -> (Cluster, Cluster, Workplace) {
    let (primary, standby, workplace) =
        hospital("CREATE TABLE t (id int PRIMARY KEY)", "[[table]]\nname = \"public.t\"\n");
    for at in TIMES {
        retake(&workplace, at);
    }
    (primary, standby, workplace)
}

#[test]
fn prune_keeps_the_recent_ones_and_the_last_of_days_and_weeks_and_a_dry_run_only_says_so() {
    let (_primary, _standby, mut workplace) = with_history();
    workplace.set("store", "keep", "{ recent = 2, daily = 3, weekly = 3 }");
    let plan = workplace.json(0, SNAPSHOT, &["prune", "--dry-run"]);
    assert_eq!(plan["dry_run"], true);
    assert_eq!(of(&plan["removed"]), [TIMES[1], TIMES[2]]);
    assert_eq!(entries(&workplace), TIMES);
    let done = workplace.json(0, SNAPSHOT, &["prune"]);
    assert_eq!((&done["removed"], &done["kept"]), (&plan["removed"], &plan["kept"]));
    assert_eq!(entries(&workplace), [TIMES[0], TIMES[3], TIMES[4], TIMES[5]]);
    assert_eq!(journal(&workplace).pop().expect("a line"), ("snapshot prune".to_owned(), "done".to_owned()));
    let again = workplace.json(0, SNAPSHOT, &["prune"]);
    assert_eq!((of(&again["removed"]).len(), &again["bytes"]), (0, &json!(0)));
}

#[test]
fn prune_never_removes_what_a_generation_or_an_event_is_of_nor_the_newest() {
    let (_primary, standby, mut workplace) = with_history();
    workplace.set("store", "keep", "{ recent = 1, daily = 0, weekly = 0 }");
    standby.create_database("his_g1");
    standby.psql_file("his_g1", &Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/standby/control.sql"));
    let generation = format!(
        "INSERT INTO his_emergency.generation (generation, site, snapshot, verified) VALUES (1, '01', '{}', true)",
        TIMES[1]
    );
    standby.psql("his_g1", &generation);
    let event = json!({
        "id": "01-0001", "epoch": 1, "drill": false, "opened_at": "2026-11-18T00:00:00Z", "reason": "test",
        "ordered_by": null, "by": "test", "level": null, "both_live": false, "generation": 1, "snapshot": TIMES[2],
        "data_until": null, "lost_after_batch": null, "ended_at": null,
    });
    let state = json!({
        "format": 1, "mode": "normal", "since": null, "event": event, "moving": null, "epoch": 1, "drills": 0,
        "generation": 1, "fence": "off", "merge_run": 0, "numbers": {},
    });
    fs::write(workplace.store().join("state.json"), state.to_string()).expect("a write");
    // A damaged one is left for a person, and counts for nothing.
    fs::remove_file(workplace.store().join("snapshots").join(TIMES[3]).join("SHA256SUMS")).expect("a removal");
    let done = workplace.json(0, SNAPSHOT, &["prune"]);
    let kept: Vec<(&str, &str)> = done["kept"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|k| (k["snapshot"].as_str().expect("an id"), k["reason"].as_str().expect("a reason")))
        .collect();
    let expected = [
        (TIMES[1], "generation 1 is of it"),
        (TIMES[2], "event 01-0001 is of it"),
        (TIMES[3], "damaged; look at it, then remove the directory by hand"),
        (TIMES[5], "the newest"),
    ];
    assert_eq!(kept, expected);
    assert_eq!(entries(&workplace), [TIMES[1], TIMES[2], TIMES[3], TIMES[5]]);
}

#[test]
fn prune_removes_nothing_while_the_standby_cannot_say_what_it_is_of() {
    let (_primary, standby, mut workplace) = with_history();
    workplace.set("store", "keep", "{ recent = 1, daily = 0, weekly = 0 }");
    standby.stop_fast();
    let ran = workplace.run(SNAPSHOT, &["prune"]).expect(6);
    assert!(ran.hint().contains("prune when it answers"), "{}", ran.hint());
    assert_eq!(entries(&workplace), TIMES);
}

#[test]
fn an_offline_copy_is_verified_noted_and_journalled() {
    let (_primary, _standby, workplace) = awkward();
    let taken = take(&workplace);
    let medium = workplace.path().join("medium");
    let ran = workplace.run(SNAPSHOT, &["copy", "--to", "medium"]).expect(1).says("there is no such directory");
    assert!(ran.hint().starts_with("is the medium mounted?"), "{}", ran.hint());
    fs::create_dir(&medium).expect("a medium");

    let plan = workplace.json(0, SNAPSHOT, &["copy", "--to", "medium", "--dry-run"]);
    assert_eq!((&plan["dry_run"], &plan["copied_at"]), (&json!(true), &Value::Null));
    assert_eq!(fs::read_dir(&medium).expect("the medium").count(), 0);

    let done = workplace.json(0, SNAPSHOT, &["copy", "--to", "medium"]);
    let copy = medium.join(id(&taken));
    assert_eq!((&done["snapshot"], &done["path"], &done["verified"]), (&taken["snapshot"], &json!(copy), &json!(true)));
    for file in files(&path(&taken)) {
        assert_eq!(fs::read(copy.join(&file)).expect("a copy"), fs::read(path(&taken).join(&file)).expect("a file"));
    }
    sha256sum_agrees(&copy);
    let noted = &workplace.json(0, SNAPSHOT, &["list"])["offline_copy"];
    assert_eq!((&noted["snapshot"], &noted["path"]), (&taken["snapshot"], &json!(copy)));
    assert!(noted["age_seconds"].as_i64().is_some_and(|age| (0..60).contains(&age)), "{noted}");
    assert_eq!(journal(&workplace).pop().expect("a line"), ("snapshot copy".to_owned(), "done".to_owned()));

    // Again: the copy that is there is verified, and found damaged when it is.
    workplace.run(SNAPSHOT, &["copy", "--to", "medium"]).expect(0);
    fs::write(copy.join("schema.dump"), "x").expect("a write");
    let ran = workplace.run(SNAPSHOT, &["copy", "--to", "medium"]).expect(5).says("schema.dump");
    assert_eq!(ran.hint(), "the copy is damaged: remove it, or use another medium, then copy again.");
    // The store itself is no other medium.
    workplace.run(SNAPSHOT, &["copy", "--to", "store/snapshots"]).expect(2);
}
