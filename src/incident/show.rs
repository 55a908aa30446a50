//! How an incident stands, for people and for programs.

use super::log::Incident;
use super::standing::{self, Standing};
use super::timeline::{self, Entry};
use crate::cli::Site;
use crate::clock;
use crate::error::Result;
use crate::plan::{Phase, Plan};
use crate::store::{Mode, State};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::fmt::Write;

/// Everything about one incident that the pages below are made of.
pub struct Seen<'p> {
    pub incident: Incident,
    pub state: State,
    pub events: Vec<String>,
    pub phases: Vec<(DateTime<Utc>, Phase)>,
    pub tasks: Vec<Standing<'p>>,
    pub timeline: Vec<Entry>,
    pub now: DateTime<Utc>,
}

impl<'p> Seen<'p> {
    pub fn of(site: &Site, plan: &'p Plan, incident: Incident, all: &[Incident]) -> Result<Seen<'p>> {
        let now = Utc::now();
        let acts = timeline::acts(site, &incident, all)?;
        let until = incident.ended().map_or(now, |r| r.at);
        Ok(Seen {
            state: site.store.state()?,
            events: timeline::events(&acts),
            phases: standing::phases(plan, &incident, &acts),
            tasks: standing::tasks(plan, &incident, until),
            timeline: timeline::entries(plan, &incident, &acts, &site.profile.site.language),
            incident,
            now,
        })
    }

    fn until(&self) -> DateTime<Utc> {
        self.incident.ended().map_or(self.now, |r| r.at)
    }

    pub fn phase(&self) -> Phase {
        self.phases.last().map_or(Phase::Warning, |(_, p)| *p)
    }

    /// Tasks that are not done, the most urgent first.
    pub fn open(&self) -> Vec<&Standing<'p>> {
        let mut open: Vec<&Standing<'p>> = self.tasks.iter().filter(|t| t.done.is_none()).collect();
        open.sort_by_key(|t| (t.due.is_none(), t.due, t.task.phase));
        open
    }

    pub fn late(&self) -> usize {
        self.tasks.iter().filter(|t| t.late(self.until()).is_some()).count()
    }
}

pub fn json(plan: &Plan, seen: &Seen) -> Value {
    let incident = &seen.incident;
    let until = seen.until();
    let task = |t: &Standing| {
        json!({
            "task": t.task.id, "role": t.task.role, "phase": t.task.phase, "due": t.due, "done": t.done, "by": t.by,
            "late_seconds": t.late(until).map(|l| l.num_seconds()),
        })
    };
    let called = incident.level().and_then(|l| plan.level(l)).map(|l| l.calls.clone()).unwrap_or_default();
    let calls: Vec<Value> =
        called.iter().map(|role| json!({ "role": role, "reached": incident.reached(role) })).collect();
    json!({
        "incident": incident.id,
        "cause": incident.cause(),
        "level": incident.level(),
        "phase": seen.phase(),
        "began": incident.began(),
        "started": incident.started().map(|r| r.at),
        "ended": incident.ended().map(|r| r.at),
        "mode": seen.state.mode,
        "events": seen.events,
        "tasks": {
            "done": seen.tasks.iter().filter(|t| t.done.is_some()).count(),
            "open": seen.open().len(),
            "late": seen.late(),
            "list": seen.tasks.iter().map(task).collect::<Vec<_>>(),
        },
        "calls": calls,
        "timeline": seen.timeline,
    })
}

/// One page for whoever comes to the command post.
pub fn text(site: &Site, plan: &Plan, seen: &Seen) -> String {
    let (of, now, incident) = (&site.profile.site, seen.now, &seen.incident);
    let language = of.language.as_str();
    let mut page = String::new();
    let time = |at| clock::time_of_day(of, at, now);
    let cause = incident.cause().and_then(|c| plan.cause(c)).map_or("", |c| c.name.of(language));
    let level = incident.level().and_then(|l| plan.level(l)).map(|l| format!(", {}", l.name.of(language)));
    let ended = incident.ended().map(|r| format!(", ended {}", time(r.at))).unwrap_or_default();
    let what = if incident.started().is_some() { cause } else { "a warning; the plan was not started" };
    let _ = writeln!(
        page,
        "incident  {} since {}: {what}{}{ended}",
        incident.id,
        time(incident.began()),
        level.unwrap_or_default()
    );
    if let Some((at, phase)) = seen.phases.last() {
        let _ = writeln!(page, "phase     {} since {}", phase.name(language), time(*at));
    }
    let until = seen.state.event.as_ref().filter(|_| seen.state.mode == Mode::Standby).and_then(|e| e.data_until);
    let until = until.map(|at| format!(", {}", clock::data_until(of, at, now))).unwrap_or_default();
    let events = if seen.events.is_empty() { String::new() } else { format!(", event {}", seen.events.join(", ")) };
    let _ = writeln!(page, "windows   mode {}{events}{until}", seen.state.mode);
    let done = seen.tasks.iter().filter(|t| t.done.is_some()).count();
    let _ = writeln!(page, "tasks     {done} done, {} open, {} late", seen.open().len(), seen.late());
    for task in seen.open().iter().take(12) {
        let when = match (task.late(seen.until()), task.due) {
            (Some(late), _) => format!("LATE {}", clock::length(late)),
            (None, Some(due)) => format!("by {}", time(due)),
            (None, None) => String::new(),
        };
        let role = plan.role(&task.task.role).map_or("", |r| r.name.of(language));
        let _ = writeln!(page, "          {when:<12} {:<18} {role}: {}", task.task.id, task.task.text.of(language));
    }
    if seen.open().len() > 12 {
        let _ = writeln!(page, "          and {} more: his-incident task", seen.open().len() - 12);
    }
    if let Some(level) = incident.level().and_then(|l| plan.level(l)) {
        let reached = level.calls.iter().filter(|r| incident.reached(r) == Some(true)).count();
        let _ = writeln!(page, "calls     {reached} of {} posts reached: his-incident call-list", level.calls.len());
    }
    page.push('\n');
    for entry in seen.timeline.iter().rev().take(10).rev() {
        let _ = writeln!(page, "{}  {} ({})", time(entry.at), entry.text, entry.by);
    }
    let _ = write!(page, "\nnext      {}", next(seen));
    page
}

/// One sentence for somebody who has been woken up.
fn next(seen: &Seen) -> &'static str {
    let incident = &seen.incident;
    match (incident.started().is_some(), incident.ended().is_some(), seen.state.mode) {
        (false, false, _) => "judge the warning: his-incident start --cause CAUSE, or his-incident dismiss --why TEXT",
        (_, true, _) => "his-incident review for causes and improvements, then his-incident report",
        (_, _, Mode::Normal) if seen.events.is_empty() => {
            "his-switch standby if the primary is out; his-incident task done as things get done"
        }
        (_, _, Mode::Normal) => "the windows are back: his-merge reconcile, then his-incident end --why TEXT",
        (_, _, Mode::Standby | Mode::Paper) => {
            "his-incident task done as things get done; his-switch primary when the primary is sound"
        }
    }
}
