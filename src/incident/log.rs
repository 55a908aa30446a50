//! The log as a whole: incidents, and what their records add up to.

use super::record::{Record, Said};
use crate::cli::Site;
use crate::error::{Error, Result};
use crate::plan::{Phase, Plan};
use crate::store::host;
use chrono::{DateTime, Utc};

/// One emergency of the command post, by its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    pub id: String,
    /// Oldest first; never empty.
    pub records: Vec<Record>,
}

impl Incident {
    #[must_use]
    pub fn began(&self) -> DateTime<Utc> {
        self.records.first().map_or_else(Utc::now, |r| r.at)
    }

    /// When it was declared: before, there are only warnings.
    #[must_use]
    pub fn started(&self) -> Option<&Record> {
        self.records.iter().find(|r| matches!(r.said, Said::Start { .. }))
    }

    #[must_use]
    pub fn ended(&self) -> Option<&Record> {
        self.records.iter().find(|r| matches!(r.said, Said::End { .. } | Said::Dismiss { .. }))
    }

    /// The cause it was started for.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.started().and_then(|r| match &r.said {
            Said::Start { cause, .. } => Some(cause.as_str()),
            _ => None,
        })
    }

    /// Levels in their order, each with when it was reached.
    #[must_use]
    pub fn levels(&self) -> Vec<(DateTime<Utc>, u8)> {
        let level = |r: &Record| match r.said {
            Said::Start { level, .. } | Said::Level { level, .. } => Some((r.at, level)),
            _ => None,
        };
        self.records.iter().filter_map(level).collect()
    }

    #[must_use]
    pub fn level(&self) -> Option<u8> {
        self.levels().last().map(|(_, level)| *level)
    }

    /// When a task was done first.
    #[must_use]
    pub fn done(&self, task: &str) -> Option<&Record> {
        self.records.iter().find(|r| matches!(&r.said, Said::Done { task: t, .. } if t == task))
    }

    /// Whether a post was reached.
    #[must_use]
    pub fn reached(&self, role: &str) -> Option<bool> {
        self.records.iter().rev().find_map(|r| match &r.said {
            Said::Call { role: called, reached, .. } if called == role => Some(*reached),
            _ => None,
        })
    }

    /// Phases that somebody said, each with when.
    #[must_use]
    pub fn said_phases(&self) -> Vec<(DateTime<Utc>, Phase)> {
        let phase = |r: &Record| match r.said {
            Said::Phase { phase } => Some((r.at, phase)),
            _ => None,
        };
        self.records.iter().filter_map(phase).collect()
    }
}

/// All incidents, oldest first. A log whose chain is broken is an error (5): what is in it may have been changed.
pub fn all(site: &Site) -> Result<Vec<Incident>> {
    let (records, broken) = site.store.incidents().read::<Record>()?;
    if let Some(broken) = broken {
        return Err(site.store.damaged("incidents.jsonl", format!("line {} {}", broken.line, broken.reason)));
    }
    let mut found: Vec<Incident> = Vec::new();
    for record in records {
        match found.iter_mut().find(|i| i.id == record.incident) {
            Some(incident) => incident.records.push(record),
            None => found.push(Incident { id: record.incident.clone(), records: vec![record] }),
        }
    }
    Ok(found)
}

/// The one that has not ended, if there is one.
pub fn current(site: &Site) -> Result<Option<Incident>> {
    Ok(all(site)?.into_iter().rfind(|i| i.ended().is_none()))
}

/// The one named, else the one that has not ended, else the latest.
pub fn last(site: &Site, id: Option<&str>) -> Result<Incident> {
    let mut all = all(site)?;
    let found = match id {
        Some(id) => all.into_iter().find(|i| i.id == id),
        None => all.pop(),
    };
    found.ok_or_else(|| {
        let what = id.map_or_else(|| "there was never one".to_owned(), |id| format!("there is no '{id}'"));
        Error::usage("use the incident", what)
            .hint("his-incident status --all lists them; his-incident start begins one.")
    })
}

/// Reads the log, decides and writes on, with nobody in between. `decide` gives what is to be said of which incident:
/// `None` begins a new one.
pub fn say(site: &Site, decide: impl FnOnce(&[Incident]) -> Result<(Option<String>, Said)>) -> Result<Incident> {
    let _lock = site.store.incident_lock()?;
    let all = all(site)?;
    let (id, said) = decide(&all)?;
    let id = id.unwrap_or_else(|| format!("{}-I{:04}", site.profile.site.code, all.len() + 1));
    let record = Record {
        at: Utc::now(),
        by: site.by.clone(),
        host: host(),
        incident: id.clone(),
        said,
        previous: String::new(),
    };
    site.store.incidents().append(record.clone())?;
    let mut incident = all.into_iter().find(|i| i.id == id).unwrap_or_else(|| Incident { id, records: Vec::new() });
    incident.records.push(record);
    Ok(incident)
}

/// The incident that is on, or why there is nothing to say this of.
pub fn running(all: &[Incident], doing: &str) -> Result<String> {
    let found = all.iter().rfind(|i| i.ended().is_none());
    found.map(|i| i.id.clone()).ok_or_else(|| {
        Error::refused(doing, "no incident is on")
            .hint("his-incident warn reports symptoms, his-incident start declares the emergency.")
    })
}

/// The incident that is on and declared.
pub fn declared(all: &[Incident], doing: &str) -> Result<String> {
    let id = running(all, doing)?;
    if all.iter().any(|i| i.id == id && i.started().is_some()) {
        return Ok(id);
    }
    Err(Error::refused(doing, format!("{id} is a warning, the plan was not started"))
        .hint("his-incident start --cause CAUSE declares it."))
}

/// A level that the plan has.
pub fn require_level(plan: &Plan, level: u8, doing: &str) -> Result<()> {
    if plan.level(level).is_some() {
        return Ok(());
    }
    let known: Vec<String> = plan.level.iter().map(|l| l.level.to_string()).collect();
    Err(Error::usage(doing, format!("the plan has no level {level} (expected {})", known.join(", ")))
        .hint("1 is the highest; his-incident plan shows the criteria of each."))
}
