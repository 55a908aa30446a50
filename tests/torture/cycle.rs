//! One emergency from the snapshot to the sign-off, every command of it disturbed and then run again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::random::Random;
use crate::support::{Cluster, Ran};

use super::fault::{self, Calls, Kind};
use super::world::World;

/// No program may take longer, whatever happens to it.
const LIMIT: Duration = Duration::from_secs(90);

/// One command of the cycle.
#[derive(Clone, Copy)]
struct Step {
    name: &'static str,
    program: &'static str,
    /// Exit codes that mean it is done.
    done: &'static [i32],
    /// The standby is open while it runs.
    open: bool,
}

const SNAPSHOT: Step = Step { name: "snapshot", program: "his-snapshot", done: &[0], open: false };
const LOAD: Step = Step { name: "load", program: "his-load-standby", done: &[0], open: false };
/// A snapshot that is a delta, and the load that brings the generation forward by it.
const DELTA: Step = Step { name: "delta", program: "his-snapshot", done: &[0], open: false };
const FORWARD: Step = Step { name: "load of a delta", program: "his-load-standby", done: &[0], open: false };
const OPEN: Step = Step { name: "switch standby", program: "his-switch", done: &[0], open: false };
const EXPORT: Step = Step { name: "export", program: "his-export-queue", done: &[0], open: true };
const EARLY: Step = Step { name: "merge --early", program: "his-merge", done: &[3], open: true };
const BACK: Step = Step { name: "switch primary", program: "his-switch", done: &[3], open: false };
const LATER: Step = Step { name: "export afterwards", program: "his-export-queue", done: &[0], open: false };
const RESOLVE: Step = Step { name: "resolve", program: "his-merge", done: &[0], open: false };
const MERGE: Step = Step { name: "merge", program: "his-merge", done: &[0], open: false };
const RECONCILE: Step = Step { name: "reconcile", program: "his-merge", done: &[0], open: false };
const SIGN: Step = Step { name: "sign-off", program: "his-merge", done: &[0], open: false };
const PRUNE: Step = Step { name: "prune", program: "his-snapshot", done: &[0], open: false };

/// What the summary counts.
#[derive(Debug, Default)]
pub struct Counts {
    pub trials: usize,
    pub kinds: BTreeMap<Kind, usize>,
    pub steps: BTreeMap<&'static str, usize>,
    pub cycles: usize,
    /// Emergencies on a standby that a delta brought to where it was opened.
    pub deltas: usize,
}

/// What is disturbed, and how, when not everything is: for the one who looks for a fault in the programs.
#[derive(Debug, Clone, Default)]
pub struct Only {
    pub step: Option<String>,
    pub kind: Option<String>,
}

impl Only {
    fn kind(&self, random: &mut Random) -> Kind {
        loop {
            let kind = Kind::any(random);
            if self.kind.as_deref().is_none_or(|only| only == kind.name()) {
                return kind;
            }
        }
    }
}

/// Runs cycles in one world.
pub struct Cycles<'a> {
    pub world: World,
    pub random: Random,
    pub calls: &'a mut BTreeMap<&'static str, (Calls, Duration)>,
    pub counts: Counts,
    /// Whether anything is disturbed, and what.
    pub faults: bool,
    pub only: Only,
    /// What was done to which command in this cycle, for the one who has to find out why.
    pub told: Vec<String>,
}

impl Drop for Cycles<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("in emergency {} of these:\n{}", self.counts.cycles + 1, self.told.join("\n"));
            let sessions =
                "SELECT pid, application_name, state, wait_event_type, wait_event, query FROM pg_stat_activity";
            println!("{}", self.world.primary.rows("postgres", sessions).join("\n"));
        }
    }
}

impl Cycles<'_> {
    /// The cycle with this number (1, 2 …); gives the state it ends in.
    pub fn run(&mut self, round: usize) -> Result<Vec<String>, String> {
        self.told.clear();
        self.world.morning(round);
        if self.world.deltas {
            // A generation that was opened is not brought forward, so there has to be one of the morning.
            self.step(SNAPSHOT, &[])?;
            self.step(LOAD, &[])?;
        }
        self.world.noon(round);
        self.step(if self.world.deltas { DELTA } else { SNAPSHOT }, &[])?;
        self.world.gap(round);
        self.step(if self.world.deltas { FORWARD } else { LOAD }, &[])?;
        self.count_deltas();
        self.step(OPEN, &["standby", "--reason", "torture"])?;
        self.world.first_hour(round);
        let pending = self.world.begin(&format!("over{round}"));
        self.step(EXPORT, &[])?;
        self.world.commit(pending);
        self.world.second_hour(round);
        self.step(EXPORT, &[])?;
        self.step(EARLY, &["--early"])?;
        // The export after this one begins when `early` is open and ends when `late` is.
        let late = self.world.begin(&format!("late{round}"));
        let late = World::commit_soon(late, Duration::from_millis(self.random.below(600) as u64));
        self.step(BACK, &["primary"])?;
        let (late, confirmed) = late.join().expect("the late window does not panic");
        self.world.settle(&format!("01-{round:04}"), &late, confirmed);
        // As cron does each minute: it brings a mirror up to date that failed while the windows were switched (P16).
        self.step(LATER, &[])?;
        let conflicts = self.world.work.json(0, "his-merge", &["conflicts"]);
        let id = conflicts["conflicts"][0]["id"].to_string().replace('"', "");
        self.step(RESOLVE, &["resolve", &id, "--take", "standby", "--why", "asked the patient"])?;
        self.step(MERGE, &[])?;
        self.step(RECONCILE, &["reconcile"])?;
        let event = format!("01-{round:04}");
        self.step(SIGN, &["sign-off", &event, "--as", "finance", "--by", "Li"])?;
        self.step(SIGN, &["sign-off", &event, "--as", "it", "--by", "Wang"])?;
        self.step(PRUNE, &["prune"])?;
        // Any act that is written down takes the place of what a run that was killed had begun to write.
        self.world.work.run("his-merge", &["conflicts", "--show-personal"]).expect(0);
        self.counts.cycles += 1;
        Ok(self.world.state())
    }

    /// What was loaded last, when it came as a delta.
    fn count_deltas(&mut self) {
        let there = self.world.work.json(0, "his-load-standby", &["list"]);
        let generations = there["generations"].as_array().expect("a list");
        let newest = generations.iter().max_by_key(|g| g["generation"].as_u64()).expect("one was loaded");
        let id = newest["snapshot"].as_str().expect("an id");
        let listed = self.world.work.json(0, "his-snapshot", &["list"]);
        let taken = listed["snapshots"].as_array().expect("a list").iter().find(|s| s["snapshot"] == id);
        self.counts.deltas += usize::from(taken.is_some_and(|s| s["kind"] == "delta"));
    }

    fn step(&mut self, step: Step, args: &[&str]) -> Result<(), String> {
        let meant = self.faults && self.only.step.as_deref().is_none_or(|only| only == step.name);
        let faults = if meant { [0, 1, 1, 1, 2, 2][self.random.below(6)] } else { 0 };
        for _ in 0..faults {
            let kind = self.only.kind(&mut self.random);
            let ran = self.disturbed(step, args, kind);
            self.told.push(format!("  ended with {}: {}", ran.code, ran.stderr.lines().next().unwrap_or("")));
            if ran.code == 2 || ran.stderr.contains("panicked") {
                return Err(format!("{} ended with {}\n{}", ran.what, ran.code, ran.shown()));
            }
        }
        self.undisturbed(step, args)
    }

    fn program(&self, step: Step, args: &[&str]) -> crate::support::Program {
        self.world.work.program(step.program, args).limit(LIMIT)
    }

    /// Runs it with one fault.
    fn disturbed(&mut self, step: Step, args: &[&str], kind: Kind) -> Ran {
        self.counts.trials += 1;
        *self.counts.kinds.entry(kind).or_default() += 1;
        *self.counts.steps.entry(step.name).or_default() += 1;
        let (calls, usual) = self.calls.get(step.name).copied().unwrap_or_default();
        let (program, fault) =
            fault::planted(self.program(step, args), kind, calls, self.world.work.path(), &mut self.random);
        self.told.push(format!("{}: {} {fault}", step.name, kind.name()));
        let mut running = program.start();
        let micros = u64::try_from(usual.as_micros()).unwrap_or(0).max(1000);
        let moment = Duration::from_micros(self.random.next() % micros);
        let until = |running: &mut crate::support::Running| {
            let began = Instant::now();
            while began.elapsed() < moment && running.running() {
                thread::sleep(Duration::from_millis(1));
            }
        };
        let side = |primary: bool| if primary { &self.world.primary } else { &self.world.standby };
        match kind {
            Kind::Outside => {
                until(&mut running);
                running.kill()
            }
            Kind::PrimaryDies | Kind::StandbyDies => {
                let side = side(kind == Kind::PrimaryDies);
                until(&mut running);
                side.stop_immediate();
                let ran = running.wait();
                World::revive(side);
                if step.open && kind == Kind::StandbyDies {
                    self.world.work.run("his-switch", &["standby", "--reason", "torture"]).expect(0);
                }
                ran
            }
            Kind::PrimaryHangs | Kind::StandbyHangs => {
                let side = side(kind == Kind::PrimaryHangs);
                until(&mut running);
                side.freeze();
                thread::sleep(Duration::from_millis(300));
                side.thaw();
                running.wait()
            }
            Kind::SessionsEnd => {
                until(&mut running);
                end_sessions(&self.world.primary);
                end_sessions(&self.world.standby);
                running.wait()
            }
            _ => running.wait(),
        }
    }

    /// Runs it without a fault until it is done: a session of a killed process may still hold a lock for a moment.
    fn undisturbed(&mut self, step: Step, args: &[&str]) -> Result<(), String> {
        let began = Instant::now();
        loop {
            let file: PathBuf = self.world.work.path().join("calls");
            let ran = fault::counted(self.program(step, args), &file).run();
            let already = ran.code == 4 && ran.stderr.contains("already");
            if step.done.contains(&ran.code) || already {
                if !self.faults {
                    let (calls, usual) = self.calls.entry(step.name).or_default();
                    let now = fault::read(&file);
                    calls.files = calls.files.max(now.files);
                    calls.sends = calls.sends.max(now.sends);
                    calls.commits = calls.commits.max(now.commits);
                    calls.reads = calls.reads.max(now.reads);
                    *usual = (*usual).max(ran.took);
                }
                let said = ran.stdout.lines().chain(ran.stderr.lines()).next().unwrap_or_default();
                self.told.push(format!("{}: undisturbed, ended with {}: {said}", step.name, ran.code));
                return Ok(());
            }
            if !matches!(ran.code, 6 | 7) || began.elapsed() > Duration::from_secs(20) {
                return Err(format!("undisturbed, {} ended with {}\n{}", ran.what, ran.code, ran.shown()));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn end_sessions(side: &Cluster) {
    side.rows("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'his-%'");
}
