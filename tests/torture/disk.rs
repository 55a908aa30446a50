//! The disk fails at one file of the store in the middle of a move, each time it is touched: the move stays begun, and the
//! same command goes on with it under the same event.

use serde_json::json;

use super::fault::{self, Kind};
use crate::switch::Hospital;

/// Whether the `at`th call on a file whose path begins so failed; the move is then run again to its end, and back.
fn fails_at(hospital: &Hospital, kind: Kind, file: &str, at: usize, to: &[&str]) -> bool {
    let event = hospital.status()["event"].as_str().map_or(0, |id| id[3..].parse::<u64>().expect("a number")) + 1;
    let moving = hospital.work.program("his-switch", to);
    let ran = fault::at_call(moving, kind, at, &hospital.work.store().join(file)).env("HIS_FAULT_FILES", "1").run();
    let failed = ran.code != 0;
    let again = hospital.work.run("his-switch", to);
    let already = again.code == 4 && again.stderr.contains("already");
    assert!(again.code == 0 || already, "{}\n{}", ran.shown(), again.shown());
    let status = hospital.status();
    let expected = (json!(format!("01-{event:04}")), json!("on"), json!(null));
    assert_eq!(
        (&status["event"], &status["fence"], &status["moving"]),
        (&expected.0, &expected.1, &expected.2),
        "{}",
        ran.shown()
    );
    hospital.work.run("his-switch", &["primary"]).expect(0);
    failed
}

#[test]
fn p7_a_move_whose_journal_or_state_cannot_be_written_at_any_moment_goes_on_with_the_same_event() {
    let hospital = Hospital::new();
    let mut failed = 0;
    for to in [&["standby", "--reason", "disk", "--accept-stale"][..], &["paper", "--reason", "disk"]] {
        for file in ["journal", ".unfinished-"] {
            for at in 1..=20 {
                failed += usize::from(fails_at(&hospital, Kind::Eio, file, at, to));
            }
        }
    }
    assert!(failed >= 20, "only {failed} moves met a disk that failed");
    // Killed in the middle of a line, or with it not on the disk yet: what was told to nobody goes, and nothing is broken.
    let to = ["standby", "--reason", "disk", "--accept-stale"];
    for kind in [Kind::Torn, Kind::Power] {
        let killed = (1..=10).filter(|at| fails_at(&hospital, kind, "journal", *at, &to)).count();
        assert!(killed >= 3, "only {killed} moves were killed at the journal");
    }
    assert_eq!(hospital.status()["journal"], json!({"ok": true, "broken_line": null}));
}
