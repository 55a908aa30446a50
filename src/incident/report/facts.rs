//! What the report says, as figures and sentences.

use super::figures::{self, Figures};
use crate::cli::Site;
use crate::error::Result;
use crate::incident::log::{self, Incident};
use crate::incident::record::Said;
use crate::incident::{standing, timeline};
use crate::plan::{Phase, Plan};
use crate::store::Act;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;

/// Which incident, when, at which levels.
#[derive(Debug, Clone, Serialize)]
pub struct About {
    pub id: String,
    pub cause: Option<String>,
    pub began: DateTime<Utc>,
    pub started: Option<DateTime<Utc>>,
    pub ended: Option<DateTime<Utc>>,
    pub levels: Vec<(DateTime<Utc>, u8)>,
    pub phases: Vec<(DateTime<Utc>, Phase)>,
}

/// One event: an opening of standby or paper until the return.
#[derive(Debug, Clone, Serialize)]
pub struct EventFacts {
    pub event: String,
    pub opened_at: Option<DateTime<Utc>>,
    /// From the beginning of the incident until the windows could work again.
    pub until_open_seconds: Option<i64>,
    /// The command itself.
    pub switch_seconds: Option<f64>,
    pub returned_at: Option<DateTime<Utc>>,
    pub return_seconds: Option<f64>,
    /// Where the standby's data ended, and how long before the opening that was: the gap.
    pub data_until: Option<DateTime<Utc>>,
    pub gap_seconds: Option<i64>,
    pub figures: Figures,
}

/// A task that took longer than the plan allows, or was never said to be done.
#[derive(Debug, Clone, Serialize)]
pub struct Behind {
    pub task: String,
    pub due: Option<DateTime<Utc>>,
    pub done: Option<DateTime<Utc>>,
    pub late_seconds: Option<i64>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Improvement {
    pub text: String,
    pub owner: String,
    pub due: NaiveDate,
}

#[derive(Debug, Clone, Serialize)]
pub struct Facts {
    pub incident: About,
    pub events: Vec<EventFacts>,
    pub tasks_done: usize,
    pub tasks_late: Vec<Behind>,
    pub tasks_open: Vec<Behind>,
    pub notices: usize,
    pub causes: Vec<String>,
    pub improvements: Vec<Improvement>,
    #[serde(skip)]
    pub source: Incident,
    #[serde(skip)]
    pub acts: Vec<Act>,
}

impl Facts {
    pub fn gather(site: &Site, plan: &Plan, incident: Incident) -> Result<Facts> {
        let now = Utc::now();
        let all = log::all(site)?;
        let acts = timeline::acts(site, &incident, &all)?;
        let until = incident.ended().map_or(now, |r| r.at);
        let tasks = standing::tasks(plan, &incident, until);
        let late = |t: &standing::Standing| Behind {
            task: t.task.id.clone(),
            due: t.due,
            done: t.done,
            late_seconds: t.late(until).map(|l| l.num_seconds()),
        };
        let improvement = |said: &Said| match said {
            Said::Improvement { text, owner, due } => {
                Some(Improvement { text: text.clone(), owner: owner.clone(), due: *due })
            }
            _ => None,
        };
        let cause = |said: &Said| match said {
            Said::Cause { text } => Some(text.clone()),
            _ => None,
        };
        let said = || incident.records.iter().map(|r| &r.said);
        Ok(Facts {
            incident: About {
                id: incident.id.clone(),
                cause: incident.cause().map(str::to_owned),
                began: incident.began(),
                started: incident.started().map(|r| r.at),
                ended: incident.ended().map(|r| r.at),
                levels: incident.levels(),
                phases: standing::phases(plan, &incident, &acts),
            },
            events: timeline::events(&acts)
                .into_iter()
                .map(|event| of_event(site, &incident, &acts, event))
                .collect::<Result<_>>()?,
            tasks_done: tasks.iter().filter(|t| t.done.is_some()).count(),
            tasks_late: tasks.iter().filter(|t| t.done.is_some() && t.late(until).is_some()).map(late).collect(),
            tasks_open: tasks.iter().filter(|t| t.done.is_none()).map(late).collect(),
            notices: said().filter(|s| matches!(s, Said::Notice { .. })).count(),
            causes: said().filter_map(cause).collect(),
            improvements: said().filter_map(improvement).collect(),
            source: incident,
            acts,
        })
    }

    /// What is not at its end, in sentences: why the exit code is not 0.
    pub fn open(&self) -> Vec<String> {
        let mut open = Vec::new();
        if self.incident.ended.is_none() {
            open.push("the incident has not ended".to_owned());
        }
        for event in &self.events {
            open.extend(event.figures.open.iter().map(|o| format!("{}: {o}", event.event)));
        }
        if self.causes.is_empty() {
            open.push("nobody has written down a cause: his-incident review --cause TEXT".to_owned());
        }
        open
    }
}

/// What the acts of the journal say of one event, and what the primary does.
fn of_event(site: &Site, incident: &Incident, acts: &[Act], event: String) -> Result<EventFacts> {
    const OPENING: &[&str] = &["switch standby", "switch paper"];
    const RETURNING: &[&str] = &["switch primary"];
    let of = |names: &[&str], result: &str| -> Vec<&Act> {
        let is = |a: &&Act| a.event.as_deref() == Some(&event) && names.contains(&a.act.as_str()) && a.result == result;
        acts.iter().filter(is).collect()
    };
    let (begun, opened) = (of(OPENING, "begun").first().copied(), of(OPENING, "done").first().copied());
    let (returning, returned) = (of(RETURNING, "begun").last().copied(), of(RETURNING, "done").last().copied());
    let seconds = |from: Option<&Act>, to: Option<&Act>| {
        let span: Option<TimeDelta> = Some(to?.at - from?.at);
        #[allow(clippy::cast_precision_loss, reason = "milliseconds of one command")]
        span.map(|s| s.num_milliseconds() as f64 / 1000.0)
    };
    let in_state = site.store.state()?.event.filter(|e| e.id == event).and_then(|e| e.data_until);
    let in_journal = begun.and_then(|a| serde_json::from_value(a.detail["data_until"].clone()).ok());
    let data_until: Option<DateTime<Utc>> = in_state.or(in_journal);
    Ok(EventFacts {
        opened_at: opened.map(|a| a.at),
        until_open_seconds: opened.map(|a| (a.at - incident.began()).num_seconds().max(0)),
        switch_seconds: seconds(begun, opened),
        returned_at: returned.map(|a| a.at),
        return_seconds: seconds(returning, returned),
        data_until,
        gap_seconds: data_until.zip(begun).map(|(until, a)| (a.at - until).num_seconds()),
        figures: figures::of(site, &event)?,
        event,
    })
}
