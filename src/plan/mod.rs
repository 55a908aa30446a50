//! The emergency plan `plan.toml`: levels, groups, roles and people, tasks, supplies, notices and causes.
//!
//! What about twenty outpatient emergency plans (门诊应急预案) ask for, as one file that people read and tools act on.
//! [`his-incident`](crate::incident) carries it out, [`his-watch`](crate::watch) says when it is out of date.

mod check;

use crate::cli::Site;
use crate::error::{Cannot, Error, Exit, Result};
use crate::profile::Words;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The only version of the plan there is.
const FORMAT: u32 = 1;

/// The phases of an emergency, in their order: 预警, 响应, 处置, 恢复, 总结.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Watch, judge, report
    Warning,
    /// Start, level, call the group
    Response,
    /// Isolate, switch, work by hand, keep order
    Handling,
    /// Verify, return, end
    Recovery,
    /// Cause, effect of the measures, improvements
    Summary,
}

impl Phase {
    pub const ALL: [Phase; 5] = [Phase::Warning, Phase::Response, Phase::Handling, Phase::Recovery, Phase::Summary];

    /// As people of the site say it.
    #[must_use]
    pub fn name(self, language: &str) -> &'static str {
        let (zh, en) = match self {
            Phase::Warning => ("预警", "warning"),
            Phase::Response => ("响应", "response"),
            Phase::Handling => ("处置", "handling"),
            Phase::Recovery => ("恢复", "recovery"),
            Phase::Summary => ("总结", "summary"),
        };
        if language == "zh-CN" { zh } else { en }
    }
}

/// Whom a notice is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    Patients,
    Staff,
    Superiors,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// 1 is the highest.
    pub level: u8,
    pub name: Words,
    /// When it is this level.
    pub criteria: Words,
    /// The role that sets it and ends it.
    pub decides: String,
    /// Roles that are called at this level, in the order of the calls.
    pub calls: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    pub id: String,
    pub name: Words,
    pub duties: Words,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    pub name: String,
    pub phone: String,
    #[serde(default)]
    pub deputy: bool,
    /// When somebody last made sure that this number reaches this person.
    pub checked: NaiveDate,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    pub id: String,
    pub group: String,
    pub name: Words,
    pub duties: Words,
    /// It has a card of its own (A5).
    #[serde(default)]
    pub card: bool,
    #[serde(default)]
    pub person: Vec<Person>,
}

/// Somebody outside: vendor, superior office, neighbouring hospital.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    pub name: Words,
    pub person: String,
    pub phone: String,
    pub checked: NaiveDate,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    pub id: String,
    pub name: Words,
    /// The windows may have to leave the primary.
    #[serde(default)]
    pub switch: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    pub id: String,
    pub role: String,
    pub phase: Phase,
    pub text: Words,
    /// Levels it is done at; empty: all.
    #[serde(default)]
    pub levels: Vec<u8>,
    /// Causes it belongs to; empty: every cause with a switch.
    #[serde(default)]
    pub causes: Vec<String>,
    /// Minutes from the start of the incident, or from when its level was reached; 0: no limit.
    #[serde(default)]
    pub minutes: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SupplyKind {
    Form,
    Device,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Supply {
    pub id: String,
    pub kind: SupplyKind,
    pub name: Words,
    pub unit: Words,
    pub least: u32,
    /// Where it lies; nearest first.
    pub place: Words,
    /// The role that fetches it.
    pub fetches: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    pub id: String,
    pub to: Audience,
    pub title: Words,
    /// A template: `site`, `time`, `since`, `level`, `cause`, `data_until`, and whatever `--set` gives.
    pub text: Words,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub format: u32,
    pub name: Words,
    pub reviewed: NaiveDate,
    pub reviewed_by: String,
    /// A file beside the plan with its levels, so that the form with four and the one with three are one word apart.
    #[serde(default)]
    pub levels: Option<PathBuf>,
    #[serde(default)]
    pub level: Vec<Level>,
    pub group: Vec<Group>,
    pub role: Vec<Role>,
    #[serde(default)]
    pub contact: Vec<Contact>,
    pub cause: Vec<Cause>,
    pub task: Vec<Task>,
    #[serde(default)]
    pub supply: Vec<Supply>,
    #[serde(default)]
    pub notice: Vec<Notice>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Levels {
    level: Vec<Level>,
}

impl Plan {
    /// The plan that the profile names; an error that says how to get one when it names none.
    pub fn of(site: &Site) -> Result<Plan> {
        match &site.profile.plan.file {
            Some(path) => Plan::read(path),
            None => Err(Error::usage("read the emergency plan", "the profile names none")
                .hint("set file in [plan] of the profile; samples/plan/plan.toml is a complete one to begin with.")),
        }
    }

    /// Reads and checks a plan; every mistake that is not one of grammar is in the error, a line each.
    pub fn read(path: &Path) -> Result<Plan> {
        let doing = || format!("use the emergency plan '{}'", path.display());
        let hint = "mend the plan; his-plan.toml(5) describes it, samples/plan/plan.toml is a complete one.";
        let text = |path: &Path| {
            let doing = format!("use the emergency plan '{}'", path.display());
            std::fs::read_to_string(path).cannot(doing).map_err(|e| e.with_exit(Exit::Usage))
        };
        let wrong = |e: toml::de::Error| Error::usage(doing(), e.to_string().trim()).hint(hint);
        let mut plan: Plan = toml::from_str(&text(path)?).map_err(wrong)?;
        if plan.format != FORMAT {
            let reason = format!("its format is {} (expected {FORMAT})", plan.format);
            return Err(Error::usage(doing(), reason).hint(hint));
        }
        if let Some(file) = &plan.levels {
            let file = path.parent().unwrap_or(Path::new("")).join(file);
            let levels: Levels = toml::from_str(&text(&file)?).map_err(wrong)?;
            plan.level.extend(levels.level);
        }
        plan.level.sort_by_key(|l| l.level);
        let mistakes = check::mistakes(&plan);
        if mistakes.is_empty() {
            return Ok(plan);
        }
        let count = if mistakes.len() == 1 { "1 mistake".to_owned() } else { format!("{} mistakes", mistakes.len()) };
        Err(Error::usage(doing(), format!("{count}\n  {}", mistakes.join("\n  "))).hint(hint))
    }

    #[must_use]
    pub fn role(&self, id: &str) -> Option<&Role> {
        self.role.iter().find(|r| r.id == id)
    }

    #[must_use]
    pub fn level(&self, level: u8) -> Option<&Level> {
        self.level.iter().find(|l| l.level == level)
    }

    #[must_use]
    pub fn cause(&self, id: &str) -> Option<&Cause> {
        self.cause.iter().find(|c| c.id == id)
    }

    /// What is to be done at a level for a cause, in the order of the plan.
    pub fn tasks<'a>(&'a self, level: u8, cause: &'a Cause) -> impl Iterator<Item = &'a Task> {
        self.task.iter().filter(move |t| {
            let for_cause = if t.causes.is_empty() { cause.switch } else { t.causes.contains(&cause.id) };
            for_cause && (t.levels.is_empty() || t.levels.contains(&level))
        })
    }

    /// The least that must lie ready, by supply.
    #[must_use]
    pub fn least(&self) -> BTreeMap<&str, u32> {
        self.supply.iter().map(|s| (s.id.as_str(), s.least)).collect()
    }
}

impl Task {
    /// How long it may take; `None`: as long as it takes.
    #[must_use]
    pub fn within(&self) -> Option<Duration> {
        (self.minutes > 0).then(|| Duration::from_secs(u64::from(self.minutes) * 60))
    }
}
