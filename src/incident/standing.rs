//! How an incident stands against its plan: phase, tasks with their time limits, calls.

use super::log::Incident;
use super::record::Said;
use crate::plan::{Cause, Phase, Plan, Task};
use crate::store::Act;
use chrono::{DateTime, TimeDelta, Utc};

/// One task of the plan, as it stands.
#[derive(Debug, Clone)]
pub struct Standing<'p> {
    pub task: &'p Task,
    /// When it has to be done; `None`: no limit.
    pub due: Option<DateTime<Utc>>,
    pub done: Option<DateTime<Utc>>,
    pub by: Option<String>,
}

impl Standing<'_> {
    /// By how much it was late, or is late now.
    #[must_use]
    pub fn late(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        let late = self.done.unwrap_or(now) - self.due?;
        (late > TimeDelta::zero()).then_some(late)
    }
}

/// The tasks of every level that the incident has reached; the time runs from when the level was first reached.
#[must_use]
pub fn tasks<'p>(plan: &'p Plan, incident: &Incident, until: DateTime<Utc>) -> Vec<Standing<'p>> {
    let Some(cause) = incident.cause().and_then(|c| plan.cause(c)) else { return Vec::new() };
    let levels = incident.levels();
    plan.task
        .iter()
        .filter_map(|task| {
            let reached = levels.iter().find(|(_, level)| is_of(plan, task, *level, cause))?.0;
            let done = incident.done(&task.id);
            let due = task.within().and_then(|w| Some(reached + TimeDelta::from_std(w).ok()?));
            // What a level asked for that was left again is asked no more, unless it was done.
            let asked = incident.level().is_some_and(|level| is_of(plan, task, level, cause));
            (asked || done.is_some()).then(|| Standing {
                task,
                due,
                done: done.map(|r| r.at).filter(|at| *at <= until || done.is_some()),
                by: done.map(|r| r.by.clone()),
            })
        })
        .collect()
}

fn is_of(plan: &Plan, task: &Task, level: u8, cause: &Cause) -> bool {
    plan.tasks(level, cause).any(|t| t.id == task.id)
}

/// When each phase began. A move of his-switch says as much as a person does: the first to standby or paper begins the
/// handling, the one to the primary the recovery.
#[must_use]
pub fn phases(plan: &Plan, incident: &Incident, moves: &[Act]) -> Vec<(DateTime<Utc>, Phase)> {
    let mut found = vec![(incident.began(), Phase::Warning)];
    if let Some(start) = incident.started() {
        found.push((start.at, Phase::Response));
    }
    let of_switch = |names: &[&str]| moves.iter().find(|a| names.contains(&a.act.as_str())).map(|a| a.at);
    let first_task = |phase: Phase| {
        let of_phase = |t: &str| plan.task.iter().any(|p| p.id == t && p.phase == phase);
        incident.records.iter().find(|r| matches!(&r.said, Said::Done { task, .. } if of_phase(task))).map(|r| r.at)
    };
    let mut begin = |phase: Phase, times: [Option<DateTime<Utc>>; 3]| {
        if let Some(at) = times.into_iter().flatten().min() {
            found.push((at, phase));
        }
    };
    let said = |phase: Phase| incident.said_phases().iter().find(|(_, p)| *p == phase).map(|(at, _)| *at);
    begin(
        Phase::Handling,
        [of_switch(&["switch standby", "switch paper"]), first_task(Phase::Handling), said(Phase::Handling)],
    );
    begin(Phase::Recovery, [of_switch(&["switch primary"]), first_task(Phase::Recovery), said(Phase::Recovery)]);
    begin(Phase::Summary, [incident.ended().map(|r| r.at), None, said(Phase::Summary)]);
    // A warning that was declared at once has no phase of its own.
    if found.get(1).is_some_and(|(at, _)| *at == found[0].0) {
        found.remove(0);
    }
    // Phases never go back: one that began before its predecessor begins with it.
    for n in 1..found.len() {
        let before = found[n - 1].0;
        found[n].0 = found[n].0.max(before);
    }
    found
}

/// The phase at a time.
#[must_use]
pub fn phase_at(phases: &[(DateTime<Utc>, Phase)], at: DateTime<Utc>) -> Phase {
    phases.iter().rfind(|(began, _)| *began <= at).or(phases.first()).map_or(Phase::Warning, |(_, phase)| *phase)
}
