//! What a load would do, decided before anything is touched; a dry run prints it.

use super::chain::Chain;
use super::guards::{self, Before};
use super::{Accept, Loaded, PROGRAM, check, database, retire};
use crate::cli::Site;
use crate::db::Server;
use crate::error::{Cannot, Error, Result};
use crate::snapshot::{self, Snapshot};
use crate::standby::Generation;
use std::time::Instant;

/// A load that may be done.
pub struct Plan {
    /// What is loaded, and what that is applied to.
    pub chain: Chain,
    /// Id of the snapshot that is asked for, and its rows on the primary.
    pub id: String,
    pub rows: u64,
    /// The generation that holds exactly this snapshot already and is the next to be opened: nothing to do.
    pub loaded: Option<Generation>,
    /// Databases of unfinished runs.
    pub sweep: Vec<String>,
    /// Highest generation number that any database on the standby has.
    pub highest_seen: u64,
    /// Databases of generations that are needed no more, if their units are settled.
    pub superfluous: Vec<String>,
}

impl Plan {
    /// What a new generation is built of.
    pub fn full(&self) -> Result<&Snapshot> {
        let doing = || format!("load snapshot '{}'", self.id);
        self.chain.full.as_ref().ok_or_else(|| Error::failed(doing(), "its full snapshot was not opened"))
    }

    /// What is told of it when it is done.
    pub(super) fn loaded_as(&self, number: u64, database: &str, started: Instant) -> Loaded {
        Loaded {
            snapshot: self.id.clone(),
            generation: number,
            database: database.to_owned(),
            rows: self.rows,
            verified: true,
            seconds: started.elapsed().as_secs_f64(),
            new: true,
            dangling: Vec::new(),
            left_out: Vec::new(),
            dropped: Vec::new(),
            kept: Vec::new(),
        }
    }
}

/// Plans the load of a snapshot, the newest when `id` is `None`; every guard is asked.
pub fn plan(site: &Site, id: Option<&str>, accept: Accept) -> Result<Plan> {
    let snapshot = snapshot::open(&site.store, id)?;
    let doing = format!("load snapshot '{}'", snapshot.id);
    require_usable(&doing, site, &snapshot)?;
    let sums_sha256 = snapshot.sums_sha256()?;
    let standby = site.profile.standby()?.named(PROGRAM);
    require_server(&standby)?;
    let all = Generation::all(&standby)?;
    let sweep = database::unfinished(&standby)?;
    guards::require_closed(&doing, &all)?;
    let newest = Generation::newest(&all);
    let same = |g: &&Generation| {
        g.snapshot.as_deref() == Some(&*snapshot.id) && g.snapshot_sha256.as_ref() == Some(&sums_sha256)
    };
    // One that was opened is written, so the same snapshot may be wanted fresh again.
    let loaded = newest.filter(same).filter(|g| g.opened_event.is_none()).cloned();
    let highest_seen = highest(&standby, &all, &sweep)?;
    let rolled_back = |g: &&Generation| (g.retired && same(g)) || g.rolled_back.as_deref() == Some(&*snapshot.id);
    if loaded.is_none()
        && id.is_none()
        && let Some(back) = all.iter().find(rolled_back)
    {
        return Err(Error::refused(doing, format!("it was rolled back (generation {})", back.number)).hint(format!(
            "take a new snapshot first; or, if this one is wanted after all, name it: his-load-standby {}.",
            snapshot.id
        )));
    }
    let (ledger_run, id, rows) = (snapshot.manifest.ledger.run, snapshot.id.clone(), snapshot.manifest.rows_there());
    let mut chain = Chain::to(site, snapshot, newest)?;
    if let Some(generation) = chain.from.as_ref().filter(|_| loaded.is_none()) {
        let missing = check::unguarded(&mut standby.connect_to(&generation.database)?, &generation.database)?;
        if let Some(missing) = missing.first() {
            let number = generation.number;
            site.talk.warn(format!(
                "generation {number} lacks the {missing}, so it is not brought forward: another takes its place"
            ));
            chain = Chain::to(site, snapshot::open(&site.store, Some(&id))?, None)?;
        }
    }
    chain.verify()?;
    if loaded.is_none() {
        if let Some(unknown) = chain.unknown_numbers(&site.profile) {
            site.talk.warn(unknown);
        }
        guards::require_exported(&doing, site, &standby, &all)?;
        guards::require_newer_than_merge(&doing, site, ledger_run)?;
        // Deltas have guards of their own, while they are applied.
        if let (Some(before), Some(full)) = (Before::of(site, &all), &chain.full) {
            before.warn_of_another_primary(site, &full.manifest);
            let target = &chain.deltas.last().unwrap_or(full).manifest;
            guards::require_not_shrunken(&doing, site, &standby, &before, target, accept)?;
            guards::require_not_changed(&doing, site, &before, full, accept)?;
        }
    }
    let superfluous = retire::superfluous(&all, standby.database()).iter().map(|g| g.database.clone()).collect();
    Ok(Plan { chain, id, rows, loaded, sweep, highest_seen, superfluous })
}

/// The newest snapshot, for a database that replaces nothing.
pub fn of_drill(site: &Site, standby: &Server) -> Result<Plan> {
    of_restore(site, standby, None)
}

/// A snapshot, the newest when `id` is `None`, for a database that replaces nothing.
pub fn of_restore(site: &Site, standby: &Server, id: Option<&str>) -> Result<Plan> {
    let snapshot = snapshot::open(&site.store, id)?;
    require_usable(&format!("load snapshot '{}'", snapshot.id), site, &snapshot)?;
    let (id, rows) = (snapshot.id.clone(), snapshot.manifest.rows_there());
    let chain = Chain::to(site, snapshot, None)?;
    chain.verify()?;
    require_server(standby)?;
    Ok(Plan { chain, id, rows, loaded: None, sweep: Vec::new(), highest_seen: 0, superfluous: Vec::new() })
}

/// The snapshot is one that this version and this profile can load.
fn require_usable(doing: &str, site: &Site, snapshot: &Snapshot) -> Result<()> {
    let manifest = &snapshot.manifest;
    snapshot.require_ours(doing, &site.profile)?;
    let missing = site.profile.tables.iter().find(|t| !manifest.tables.iter().any(|m| m.table == t.name));
    if let Some(table) = missing {
        return Err(Error::refused(doing, format!("it has no table '{}', which the profile names", table.name))
            .hint("the profile was changed after this snapshot; take a new one: his-snapshot."));
    }
    Ok(())
}

/// The standby server and our role there can carry generations.
pub fn require_server(standby: &Server) -> Result<()> {
    let doing = || format!("use the server of the {}", standby.shown());
    let row = standby.connect_to("postgres")?.query_one(crate::sql!("load/server.sql"), &[]).cannot(doing())?;
    let (superuser, prepared): (bool, i32) = (row.get("superuser"), row.get("prepared"));
    if row.get("replica") {
        return Err(Error::refused(doing(), "it is a physical replica, where nothing can be loaded")
            .hint("the standby is an independent PostgreSQL server; check [standby] url."));
    }
    if !superuser {
        return Err(Error::refused(doing(), format!("the role '{}' is no superuser there", standby.user())).hint(format!(
            "the standby belongs to the toolkit: its role makes databases, event triggers and roles. As the DBA: ALTER ROLE {} SUPERUSER;",
            crate::db::sql::ident(standby.user())
        )));
    }
    if prepared > 0 {
        return Err(Error::refused(doing(), format!("its max_prepared_transactions is {prepared} (expected 0)")).hint(
            "a prepared transaction cannot be ended and would block the switch: set max_prepared_transactions = 0 in its postgresql.conf and restart it.",
        ));
    }
    Ok(())
}

fn highest(standby: &Server, all: &[Generation], sweep: &[String]) -> Result<u64> {
    let prefix = format!("{}_g", standby.database());
    let numbered = crate::standby::databases(standby)?;
    let by_name = numbered.iter().chain(sweep).filter_map(|name| {
        name.strip_prefix(&prefix)
            .map(|rest| rest.trim_end_matches("_loading"))
            .and_then(|rest| rest.parse::<u64>().ok())
    });
    Ok(all.iter().map(|g| g.number).chain(by_name).max().unwrap_or(0))
}
