//! The answer to a COMMIT is lost: what became of it is found out from the ledger, the gate and the generations, never guessed.
//!
//! `HIS_LOST` says how often for each command.

use super::fault::{self, Calls, Kind};
use super::setting;
use crate::opened::Opened;
use crate::support::random::Random;
use crate::support::workplace::DB;
use crate::support::{Ran, Workplace, aloud, wait_until};
use crate::switch::Hospital;
use serde_json::json;
use std::thread::sleep;
use std::time::{Duration, Instant};

const SCHEMA: &str = "
CREATE SCHEMA op;
CREATE TABLE op.charge (id bigserial PRIMARY KEY, total numeric(12,4) NOT NULL, who text);
CREATE TABLE op.line (id bigserial PRIMARY KEY, charge_id bigint NOT NULL REFERENCES op.charge, amount numeric(12,4) NOT NULL);";

const TABLES: &str = r#"
[[table]]
name = "op.charge"
capture = true
money = ["total"]
[[table]]
name = "op.line"
capture = true
money = ["amount"]
part_of = "op.charge"
"#;

/// Runs a command again and again, each time losing the answer to one of its COMMITs.
struct Lost<'a> {
    work: &'a Workplace,
    random: Random,
    /// Answers that were lost, and runs that ended in 0 all the same: by themselves they found out what became of it.
    answers: usize,
    found_out: usize,
}

impl<'a> Lost<'a> {
    fn new(work: &'a Workplace) -> Self {
        Lost { work, random: Random::new(setting("HIS_SEED", 20_261_124) as u64), answers: 0, found_out: 0 }
    }

    /// How many COMMITs the command sends when nothing disturbs it.
    fn commits(&self, program: &str, args: &[&str]) -> usize {
        let file = self.work.path().join("calls");
        fault::counted(self.work.program(program, args), &file).run().expect(0);
        let Calls { commits, .. } = fault::read(&file);
        assert!(commits > 0, "{program} commits nothing");
        commits
    }

    /// Runs it with one answer lost, then again until it is done.
    fn run(&mut self, program: &str, args: &[&str], commits: usize) -> Ran {
        let calls = Calls { commits, ..Calls::default() };
        let disturbed = self.work.program(program, args);
        let (disturbed, _) = fault::planted(disturbed, Kind::LostCommit, calls, self.work.path(), &mut self.random);
        let ran = disturbed.run();
        assert!(matches!(ran.code, 0 | 6), "{} ended with {}\n{}", ran.what, ran.code, ran.shown());
        self.answers += 1;
        self.found_out += usize::from(ran.code == 0);
        let began = Instant::now();
        loop {
            let ran = self.work.run(program, args);
            // The session that was cut may hold a lock for a moment.
            if !matches!(ran.code, 6 | 7) || began.elapsed() > Duration::from_secs(20) {
                let already = ran.code == 4 && ran.stderr.contains("already");
                return if already { ran } else { ran.expect(0) };
            }
            sleep(Duration::from_millis(20));
        }
    }

    fn told(&self, what: &str) {
        aloud(&format!(
            "{what}: the answer to a COMMIT was lost {} times; {} runs ended in 0 all the same",
            self.answers, self.found_out
        ));
    }
}

#[test]
fn p7_a_merge_that_lost_the_answer_to_a_commit_has_no_unit_twice_and_none_missing() {
    let o = Opened::new(SCHEMA, TABLES);
    o.standby.execute(DB, "SELECT setval('op.charge_id_seq', 900000); SELECT setval('op.line_id_seq', 900000)");
    let mut lost = Lost::new(&o.work);
    let unit = |n: usize| {
        format!(
            "INSERT INTO op.charge (total, who) VALUES ({n}.25, '{n}'); INSERT INTO op.line (charge_id, amount) VALUES (currval('op.charge_id_seq'), {n}.25)"
        )
    };
    let mut done = 0;
    let mut commits = 0;
    for round in 0..=setting("HIS_LOST", 10) {
        let units: Vec<String> = (done + 1..=done + 3).map(unit).collect();
        o.window(&units.iter().map(String::as_str).collect::<Vec<_>>());
        done += 3;
        o.work.run("his-export-queue", &[]).expect(0);
        if round == 0 {
            commits = lost.commits("his-merge", &["--early"]);
        } else {
            lost.run("his-merge", &["--early"], commits);
        }
        let found = o.rows("SELECT count(*), count(DISTINCT who), sum(total) FROM op.charge");
        let sum = done * (done + 1) / 2;
        let money = format!("{}.{:02}00", sum + done / 4, done % 4 * 25);
        assert_eq!(found, [format!("{done}|{done}|{money}")], "round {round}");
        assert_eq!(o.rows("SELECT count(*), sum(amount) FROM op.line"), [format!("{done}|{money}")], "round {round}");
        let units = json!({"captured": done, "merged": done, "held": 0, "rejected": 0});
        assert_eq!(o.work.json(0, "his-merge", &["status"])["units"], units, "round {round}");
    }
    o.work.run("his-merge", &["reconcile"]).expect(0);
    lost.told("merge");
}

#[test]
fn p7_a_load_that_lost_the_answer_to_a_commit_leaves_one_whole_generation() {
    let hospital = Hospital::new();
    let mut lost = Lost::new(&hospital.work);
    hospital.work.run("his-snapshot", &["-q"]).expect(0);
    let commits = lost.commits("his-load-standby", &[]);
    for round in 0..setting("HIS_LOST", 10) {
        hospital.primary.execute(DB, &format!("INSERT INTO op.charge (total, who) VALUES (1, 'round {round}')"));
        let taken = hospital.work.json(0, "his-snapshot", &[]);
        lost.run("his-load-standby", &[], commits);
        let there = hospital.work.json(0, "his-load-standby", &["list"]);
        let generations = there["generations"].as_array().expect("a list");
        let of_this = generations.iter().filter(|g| g["snapshot"] == taken["snapshot"]).count();
        assert_eq!(of_this, 1, "round {round}: {there}");
        assert!(generations.len() <= 4, "round {round}: {there}");
        hospital.work.run("his-snapshot", &["prune"]).expect(0);
    }
    hospital.open();
    let rows = hospital.primary.value(DB, "SELECT count(*) FROM op.charge");
    assert_eq!(hospital.standby.value(DB, "SELECT count(*) FROM op.charge"), rows);
    lost.told("load");
}

#[test]
fn p7_a_load_of_a_delta_that_lost_the_answer_to_a_commit_has_brought_the_generation_there_once() {
    let mut hospital = Hospital::new();
    hospital.work.set("store", "full_every", "\"24h\"");
    let mut lost = Lost::new(&hospital.work);
    hospital.work.run("his-snapshot", &["-q"]).expect(0);
    hospital.work.run("his-load-standby", &[]).expect(0);
    let day = |n: usize| {
        format!(
            "INSERT INTO op.charge (total, who) VALUES ({n}.25, 'round {n}'); UPDATE op.charge SET who = who || '.' WHERE who LIKE 'round %'; DELETE FROM op.charge WHERE who LIKE 'round {}.%'",
            n.saturating_sub(3)
        )
    };
    let delta = |n: usize| {
        hospital.primary.execute(DB, &day(n));
        let taken = hospital.work.json(0, "his-snapshot", &[]);
        assert_eq!(taken["kind"], "delta", "round {n}");
        taken["snapshot"].clone()
    };
    delta(1);
    let load = ["--accept-shrink", "--accept-change"];
    let commits = lost.commits("his-load-standby", &load);
    let generation = |n: usize, snapshot: &serde_json::Value| {
        let there = hospital.work.json(0, "his-load-standby", &["list"]);
        let generations = there["generations"].as_array().expect("a list");
        let of_this = generations.iter().find(|g| g["snapshot"] == *snapshot);
        let of_this = of_this.unwrap_or_else(|| panic!("round {n}: {there}"));
        (of_this["generation"].clone(), of_this["database"].as_str().expect("a name").to_owned(), generations.len())
    };
    let rows = "SELECT id, total, who FROM op.charge ORDER BY id";
    let mut before = None;
    for round in 2..=setting("HIS_LOST", 10) + 1 {
        let taken = delta(round);
        lost.run("his-load-standby", &load, commits);
        let now = generation(round, &taken);
        assert_eq!(hospital.standby.rows(&now.1, rows), hospital.primary.rows(DB, rows), "round {round}");
        assert_eq!(before.get_or_insert(now.clone()), &now, "round {round}: it went forward, in one generation");
    }
    lost.told("load of a delta");
}

#[test]
fn p7_a_switch_that_lost_the_answer_to_a_commit_opens_and_closes_one_event_and_brings_every_unit_back() {
    let hospital = Hospital::new();
    let mut lost = Lost::new(&hospital.work);
    let standby = ["standby", "--reason", "test", "--accept-stale"];
    let window = |n: usize| {
        let charge = format!("INSERT INTO op.charge (total, who) VALUES (1, '{n}/window')");
        hospital.standby.client_as("his_app", DB).batch_execute(&charge).expect("the standby is open");
    };
    let opening = lost.commits("his-switch", &standby);
    window(0);
    let closing = lost.commits("his-switch", &["primary"]);
    for round in 1..=setting("HIS_LOST", 10) {
        lost.run("his-switch", &standby, opening);
        let event = hospital.status()["event"].clone();
        assert_eq!(event, json!(format!("01-{:04}", round + 1)), "an epoch was skipped or used twice");
        window(round);
        lost.run("his-switch", &["primary"], closing);
        let status = hospital.status();
        assert_eq!((&status["mode"], &status["event"]), (&json!("normal"), &event), "round {round}");
        let units = json!({"captured": 1, "exported": 1, "merged": 1, "held": 0, "rejected": 0});
        assert_eq!(status["units"], units, "round {round}");
        assert_eq!(hospital.charges_on_primary(), round + 1, "round {round}");
    }
    lost.told("switch");
}

#[test]
fn a_lifting_of_the_fence_that_is_still_committing_when_its_answer_is_lost_is_not_taken_for_a_fence_that_is_on() {
    let hospital = Hospital::new();
    hospital.switch(0, &["fence"]);
    // The commit waits for a replica that is not there: the server has it, and nobody sees it yet.
    hospital.primary.execute("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    hospital.primary.execute("postgres", "SELECT pg_reload_conf()");
    let lifting = hospital.work.program("his-switch", &["unfence"]);
    // The first one only looks whether there is a fence.
    let ran = fault::at_call(lifting, Kind::LostCommit, 2, hospital.work.path()).run();
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'his-switch' AND wait_event = 'SyncRep'";
    assert_eq!(hospital.primary.value("postgres", waiting), "1", "{}", ran.shown());
    ran.expect(6);
    hospital.primary.execute("postgres", "ALTER SYSTEM RESET synchronous_standby_names");
    hospital.primary.execute("postgres", "SELECT pg_reload_conf()");
    wait_until("it is done", Duration::from_secs(20), || hospital.primary.value("postgres", waiting) == "0");
    assert!(hospital.primary.connect("his_app", DB).is_ok(), "it was lifted");
    let status = hospital.status();
    assert_eq!((&status["fence"], &status["primary"]["fenced"]), (&json!("off"), &json!(false)));
}
