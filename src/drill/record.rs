//! What is kept of a drill: plan, people, measures, score, findings; one file each, and a line in the journal.

use super::scenario::Scenario;
use crate::cli::Site;
use crate::error::{Cannot, Error, Result};
use crate::store::durable;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const FILE: &str = "drill.json";

/// Somebody who should have been there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    pub name: String,
    pub present: bool,
}

/// One thing that a drill is judged by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Criterion {
    pub name: String,
    pub passed: bool,
    pub found: String,
    pub expected: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub text: String,
    pub owner: String,
    pub due: NaiveDate,
    pub by: String,
    pub at: DateTime<Utc>,
}

/// Everything that was measured; seconds, and units of the drill's own event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    pub restore_newest_seconds: Option<f64>,
    pub restore_oldest_seconds: Option<f64>,
    pub rows: u64,
    /// How old the live standby's data would have been.
    pub live_data_age_seconds: Option<i64>,
    pub data_age_seconds: Option<i64>,
    pub snapshot_seconds: Option<f64>,
    pub load_seconds: Option<f64>,
    pub switch_seconds: Option<f64>,
    /// From the break until a window had committed on the standby.
    pub first_commit_seconds: Option<f64>,
    pub return_seconds: Option<f64>,
    pub seen: u64,
    pub captured: u64,
    pub merged: u64,
    pub held: u64,
    pub rejected: u64,
    /// Units that are nowhere; must be 0.
    pub lost: u64,
    pub balanced: bool,
    /// Slip numbers handed out and ended; `None` when the profile has no slips.
    pub slips: Option<u64>,
    /// Whether the damaged source was refused, where the scenario damages it.
    pub damage_refused: Option<bool>,
    /// Rows of the drill on the live primary; `None` when it could not be asked.
    pub rows_on_primary: Option<i64>,
    pub seconds: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drill {
    pub drill: String,
    pub scenario: Scenario,
    pub goal: String,
    pub by: String,
    pub began: DateTime<Utc>,
    pub ended: Option<DateTime<Utc>>,
    /// Where it works, as long as it does.
    pub place: Option<PathBuf>,
    /// At the pace of people: between its steps no process of ours runs.
    #[serde(default)]
    pub by_hand: bool,
    pub participants: Vec<Participant>,
    pub measured: Measured,
    pub criteria: Vec<Criterion>,
    /// Of 100.
    pub score: Option<u32>,
    pub findings: Vec<Finding>,
    /// Why it went no further.
    pub broke_off: Option<String>,
}

impl Drill {
    pub fn folder(site: &Site, id: &str) -> PathBuf {
        site.store.dir().join("exercises").join(id)
    }

    pub fn write(&self, site: &Site) -> Result<()> {
        let dir = Self::folder(site, &self.drill);
        let doing = || format!("write what is known of the drill '{}'", self.drill);
        durable::make_dir(&dir).cannot(doing())?;
        let text = serde_json::to_vec_pretty(self).cannot(doing())?;
        durable::replace(&dir.join(FILE), &text).cannot(doing())
    }
}

/// All drills, oldest first.
pub fn history(site: &Site) -> Result<Vec<Drill>> {
    let dir = site.store.dir().join("exercises");
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for path in durable::list(&dir).cannot(format!("list '{}'", dir.display()))? {
        let file = path.join(FILE);
        if let Ok(bytes) = std::fs::read(&file) {
            let drill: Drill = serde_json::from_slice(&bytes).cannot(format!("read '{}'", file.display()))?;
            found.push(drill);
        }
    }
    found.sort_by_key(|d| d.began);
    Ok(found)
}

/// The one named, else the latest.
pub fn find(site: &Site, id: Option<&str>) -> Result<Drill> {
    let mut all = history(site)?;
    let found = match id {
        Some(id) => all.into_iter().find(|d| d.drill == id),
        None => all.pop(),
    };
    found.ok_or_else(|| {
        let what = id.map_or_else(|| "there was never one".to_owned(), |id| format!("there is no '{id}'"));
        Error::usage("use the drill", what).hint("his-drill history lists them; his-drill run holds one.")
    })
}
