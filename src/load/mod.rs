//! `his-load-standby`: makes a standby generation of a snapshot, in a database of its own beside the closed one.
//!
//! `plan` decides, `guards` refuse, `build` does the work in a database that nobody sees: schema (`schema`), data in and read
//! back (`fill`) with indexes and statistics beside it (`order`), `foreign_keys`, `settle` (numbers, owners, gate and capture). The rename that
//! publishes it is the last step, so a killed load leaves nothing but a database that the next run sweeps. A delta
//! brings the newest generation forward instead (`delta`), or a new one, where the newest is not of its parent (`chain`).

mod back;
mod build;
mod chain;
mod change;
mod check;
mod cli;
mod database;
mod ddl;
mod delta;
mod fill;
mod foreign_keys;
mod guards;
mod init;
mod list;
mod order;
mod plan;
mod primary;
mod retire;
mod schema;
mod settle;
mod work;

pub use check::{Checked, check};
pub use cli::{Cli, main};
pub use foreign_keys::Dangling;
pub use init::{Made, init};
pub use list::{Listed, list};
pub use plan::{Plan, plan};
pub use retire::{Kept, RolledBack, rollback};

use crate::cli::Site;
use crate::db::{Client, Server};
use crate::error::{Exit, Result};
use crate::standby::{Generation, numbers};
use crate::store::{Kind, State};
use serde_json::json;
use std::time::Instant;

/// What our sessions are called; the switch ends them by this name (P16).
pub const PROGRAM: &str = "his-load-standby";

/// Which guards a person has looked at and steps over, for one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Accept {
    pub shrink: bool,
    pub change: bool,
}

/// A loaded generation.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Loaded {
    pub snapshot: String,
    pub generation: u64,
    pub database: String,
    pub rows: u64,
    pub verified: bool,
    pub seconds: f64,
    /// False: it was there already and nothing was done.
    pub new: bool,
    /// Foreign keys that rows left out by a filter do not satisfy.
    pub dangling: Vec<Dangling>,
    /// What of the HIS is not on the standby, by kind and name.
    pub left_out: Vec<String>,
    /// Databases of older generations that were dropped, and that could not be yet.
    pub dropped: Vec<String>,
    pub kept: Vec<Kept>,
}

/// Loads a snapshot, the newest when `snapshot` is `None`, and makes it the one that will be opened.
pub fn run(site: &Site, snapshot: Option<&str>) -> Result<Loaded> {
    run_accepting(site, snapshot, Accept::default())
}

/// As [`run`], stepping over guards.
pub fn run_accepting(site: &Site, snapshot: Option<&str>, accept: Accept) -> Result<Loaded> {
    // A snapshot that is not there is wrong use, whoever is running.
    if let Err(e) = crate::snapshot::open(&site.store, snapshot)
        && e.exit() == Exit::Usage
    {
        return Err(e);
    }
    let _lock = site.store.lock(Kind::Load, &site.by)?;
    run_locked(site, snapshot, accept)
}

/// As [`run_accepting`], for a caller that holds the lock [`Kind::Load`] already.
pub fn run_locked(site: &Site, snapshot: Option<&str>, accept: Accept) -> Result<Loaded> {
    let started = Instant::now();
    let plan = plan(site, snapshot, accept)?;
    let standby = site.profile.standby()?.named(PROGRAM);
    for left in database::sweep(&standby)? {
        site.talk.say(format!("dropped '{left}', which an unfinished run had left behind"));
    }
    if let Some(there) = &plan.loaded {
        let (dropped, kept) = drop_old(site, &standby);
        return Ok(Loaded { dropped, kept, new: false, ..plan.loaded_as(there.number, &there.database, started) });
    }
    match plan.chain.from.clone() {
        Some(generation) => forward(site, &standby, &plan, &generation, accept, started),
        None => build_new(site, &standby, &plan, accept, started),
    }
}

/// Brings the newest generation forward.
fn forward(
    site: &Site,
    standby: &Server,
    plan: &Plan,
    generation: &Generation,
    accept: Accept,
    started: Instant,
) -> Result<Loaded> {
    let (number, database) = (generation.number, generation.database.as_str());
    site.talk.say(format!("bringing generation {number} forward to snapshot {}", plan.id));
    for snapshot in &plan.chain.deltas {
        let applied = delta::apply(site, standby, database, snapshot, delta::Ground::Generation, accept);
        noted(site, plan, number, applied)?;
    }
    let detail = json!({ "snapshot": plan.id, "generation": number, "database": database, "rows": plan.rows, "deltas": plan.chain.deltas.len(), "seconds": started.elapsed().as_secs_f64() });
    site.store.journal().write(&site.by, "load", None, "done", detail)?;
    let (dropped, kept) = drop_old(site, standby);
    Ok(Loaded { dropped, kept, ..plan.loaded_as(number, database, started) })
}

/// Builds a new generation of a full snapshot, and brings it forward before anybody sees it.
fn build_new(site: &Site, standby: &Server, plan: &Plan, accept: Accept, started: Instant) -> Result<Loaded> {
    // Before and not after: the server drops no database before all that was written anywhere is on its disk, and now that is little.
    let (dropped, kept) = drop_old(site, standby);
    let number = claim(site, plan)?;
    let name = standby.database();
    let (loading, published) = (Generation::loading_name(name, number), Generation::database_name(name, number));
    site.talk.say(format!("loading snapshot {} as generation {number}", plan.id));
    let built = built(site, standby, plan, number, &loading, accept)
        .and_then(|built| database::rename(standby, &loading, &published).map(|()| built));
    if built.is_err() && standby.answers("postgres") {
        // Best effort: what is left here is swept by the next run.
        let _ = database::drop(standby, &loading);
    }
    let built = noted(site, plan, number, built)?;
    let seconds = started.elapsed().as_secs_f64();
    let detail = json!({ "snapshot": plan.id, "generation": number, "database": published, "rows": plan.rows, "dangling": built.dangling, "left_out": built.left_out, "seconds": seconds });
    site.store.journal().write(&site.by, "load", None, "done", detail)?;
    let loaded = plan.loaded_as(number, &published, started);
    Ok(Loaded { dangling: built.dangling, left_out: built.left_out, dropped, kept, ..loaded })
}

/// The full snapshot of the plan in a database of its own, and its deltas on it.
fn built(
    site: &Site,
    standby: &Server,
    plan: &Plan,
    number: u64,
    database: &str,
    accept: Accept,
) -> Result<build::Built> {
    let built = build::run(site, standby, plan.full()?, number, database)?;
    for snapshot in &plan.chain.deltas {
        delta::apply(site, standby, database, snapshot, delta::Ground::NewGeneration, accept)?;
    }
    Ok(built)
}

/// What hindered a load is in the journal.
fn noted<T>(site: &Site, plan: &Plan, number: u64, outcome: Result<T>) -> Result<T> {
    outcome.inspect_err(|error| {
        let detail = json!({ "snapshot": plan.id, "generation": number, "exit": error.exit().code() });
        if let Err(e) = site.store.journal().write(&site.by, "load", None, "failed", detail) {
            site.talk.warn(e.to_string());
        }
    })
}

/// An old generation that cannot be dropped now is dropped by a later run, and hinders no load.
fn drop_old(site: &Site, standby: &Server) -> (Vec<String>, Vec<Kept>) {
    retire::drop_old(site, standby).unwrap_or_else(|e| {
        site.talk.warn(format!("older generations stay for now: {e}"));
        (Vec::new(), Vec::new())
    })
}

/// Takes the next generation number; a number is never used twice, also when this load fails.
fn claim(site: &Site, plan: &Plan) -> Result<u64> {
    let state = State::update(&site.store, |s| s.generation = s.generation.max(plan.highest_seen) + 1)?;
    Ok(state.generation)
}

/// Loads the newest snapshot into `database`, which is nobody's generation and is dropped afterwards: for the drill of
/// `his-switch`, which holds the lock [`Kind::Load`]. What is guarded at a load (P6) is not asked, because nothing is
/// replaced. Returns the snapshot and its rows.
pub fn for_drill(site: &Site, database: &str, number: u64) -> Result<(String, u64)> {
    let standby = site.profile.standby()?.named(PROGRAM);
    let plan = plan::of_drill(site, &standby)?;
    database::drop(&standby, database)?;
    built(site, &standby, &plan, number, database, Accept { shrink: true, change: true })?;
    Ok((plan.id, plan.rows))
}

/// Restores a snapshot into `database` of any server, as the primary was: nothing of a standby is in it. `site` has no
/// `[[numbers]]`. The rows are read back and compared as at every load. Returns them and the snapshot's id.
pub fn restore(site: &Site, server: &Server, snapshot: Option<&str>, database: &str) -> Result<(String, u64)> {
    let plan = plan::of_restore(site, server, snapshot)?;
    build::primary(site, server, plan.full()?, database)?;
    for snapshot in &plan.chain.deltas {
        let accept = Accept { shrink: true, change: true };
        delta::apply(site, server, database, snapshot, delta::Ground::Plain, accept)?;
    }
    Ok((plan.id, plan.rows))
}

/// Drops a database of a server that is all a drill's own.
pub fn drop_database(server: &Server, database: &str) -> Result<()> {
    database::drop(server, database)
}

/// Drops what a drill worked in.
pub fn drop_drill(site: &Site, database: &str) -> Result<()> {
    database::drop(&site.profile.standby()?.named(PROGRAM), database)
}

/// As `his-switch` calls it at every opening: emergency numbers go on after the highest one seen. Returns the next number
/// of each sequence. The primary is not asked, because this is done while it is down.
pub fn advance_numbers(site: &Site, client: &mut Client, after_a_crash: bool) -> Result<Vec<(String, i64)>> {
    let margin = if after_a_crash { numbers::AFTER_A_CRASH } else { 0 };
    let next = numbers::advance(site, client, margin, None)?;
    Ok(next.into_iter().map(|(name, number)| (name.to_string(), number)).collect())
}
