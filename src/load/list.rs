//! The generations of the standby server, and which of them would be opened next.

use super::PROGRAM;
use crate::cli::Site;
use crate::error::Result;
use crate::standby::{CLOSED_DATABASE, Gate, Generation};
use chrono::{DateTime, Utc};

/// One generation as `list` shows it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Listed {
    pub generation: u64,
    pub database: String,
    /// `None`: the empty closed database of `init`.
    pub snapshot: Option<String>,
    /// Where its data ends.
    pub data_until: Option<DateTime<Utc>>,
    pub rows: u64,
    /// "closed", "open", "died open", "written" (opened before, closed now) or "retired" (rolled back).
    pub state: &'static str,
    pub opened_event: Option<String>,
    pub loaded_at: DateTime<Utc>,
    /// `his-switch standby` would open this one.
    pub next: bool,
}

/// All generations, oldest first.
pub fn list(site: &Site) -> Result<Vec<Listed>> {
    let all = Generation::all(&site.profile.standby()?.named(PROGRAM))?;
    let next = Generation::newest(&all).map(|g| g.number);
    let listed = |g: &Generation| Listed {
        generation: g.number,
        database: g.database.clone(),
        snapshot: g.snapshot.clone(),
        data_until: g.taken_at,
        rows: g.rows,
        state: state(g),
        opened_event: g.opened_event.clone(),
        loaded_at: g.loaded_at,
        next: next == Some(g.number) && g.number != CLOSED_DATABASE,
    };
    Ok(all.iter().map(listed).collect())
}

fn state(generation: &Generation) -> &'static str {
    match generation.gate {
        Gate::Open => "open",
        Gate::DiedOpen => "died open",
        Gate::Closed if generation.retired => "retired",
        Gate::Closed if generation.opened_event.is_some() => "written",
        Gate::Closed => "closed",
    }
}
