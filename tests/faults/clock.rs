//! The clock of the machine that the programs run on is set back or forward in the middle of an emergency.

use crate::support::workplace::DB;
use crate::switch::Hospital;

#[test]
fn p7_an_emergency_whose_clock_is_set_back_or_forward_ends_with_everything_merged_once() {
    for by in ["-1h", "-1d", "+1d"] {
        let h = Hospital::new();
        let off = |name: &str, args: &[&str]| {
            let ran = h.work.program(name, args).clock(by).run().expect(0);
            assert!(
                !ran.stdout.contains(" -1 ") && !ran.stdout.contains(" -3"),
                "{by}: an age below 0\n{}",
                ran.shown()
            );
        };
        let stale: &[&str] = if by == "+1d" { &["--accept-stale"] } else { &[] };
        off("his-switch", &[&["standby", "--reason", "test"], stale].concat());
        h.standby.execute(DB, "INSERT INTO op.charge (total, who) VALUES (12.5, 'a')");
        off("his-export-queue", &[]);
        // Right again for a moment.
        h.standby.execute(DB, "INSERT INTO op.charge (total, who) VALUES (2.5, 'b')");
        h.work.run("his-export-queue", &[]).expect(0);
        h.standby.execute(DB, "INSERT INTO op.charge (total, who) VALUES (7.5, 'c')");
        off("his-switch", &["status"]);
        off("his-switch", &["primary"]);
        h.work.run("his-merge", &["reconcile"]).expect(0);
        let merged = "SELECT who, total FROM op.charge WHERE who IN ('a', 'b', 'c') ORDER BY 1";
        assert_eq!(h.primary.rows(DB, merged), ["a|12.5000", "b|2.5000", "c|7.5000"], "{by}");
        for (role, who) in [("finance", "Li"), ("it", "Wang")] {
            off("his-merge", &["sign-off", "01-0001", "--as", role, "--by", who]);
        }
        // The next emergency, by a clock that is right, has an epoch and numbers of its own.
        h.load();
        h.work.run("his-switch", &["standby", "--reason", "again"]).expect(0);
        h.standby.execute(DB, "INSERT INTO op.charge (total, who) VALUES (1, 'd')");
        h.work.run("his-switch", &["primary"]).expect(0);
        let all = "SELECT count(*), count(DISTINCT id), sum(total) FROM op.charge WHERE who IN ('a', 'b', 'c', 'd')";
        assert_eq!(h.primary.value(DB, all), "4|4|23.5000", "{by}");
        assert_eq!(h.work.json(0, "his-switch", &["status"])["journal"]["ok"], true);
    }
}

#[test]
fn a_snapshot_that_a_clock_set_back_would_make_older_than_the_last_is_refused_and_nothing_old_is_loaded() {
    let h = Hospital::new();
    for by in ["-1h", "-1d"] {
        let ran = h.work.program("his-snapshot", &[]).clock(by).run();
        ran.expect(4).says("this machine's clock went back").says("set this machine's clock");
    }
    h.primary.execute(DB, "INSERT INTO op.charge (total, who) VALUES (1, 'new')");
    h.load();
    h.work.run("his-switch", &["standby", "--reason", "test"]).expect(0);
    assert_eq!(h.standby.value(DB, "SELECT count(*) FROM op.charge WHERE who = 'new'"), "1");
    // Nothing that is wanted is thrown away by a clock that is a year ahead.
    let prune = h.work.program("his-snapshot", &["prune", "--json"]).clock("+365d").run().expect(0).json();
    assert_eq!(prune["removed"], serde_json::json!([]));
}
