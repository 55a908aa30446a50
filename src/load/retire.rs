//! The end of a generation: dropped when it is needed no more, or set aside by `rollback`.

use super::{PROGRAM, database, guards, primary};
use crate::cli::Site;
use crate::db::{Client, Server, sql};
use crate::error::{Cannot, Error, Result};
use crate::standby::{self, CLOSED_DATABASE, Gate, Generation};
use crate::store::Kind;
use minijinja::context;
use serde_json::json;

/// A generation that could go but for its units.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Kept {
    pub database: String,
    pub reason: String,
}

/// Transaction ids of the units in the queue of the generation of `client` that can ever be merged.
pub fn units(client: &mut Client) -> Result<Vec<i64>> {
    let tables: Vec<i32> = standby::captured(client)?.iter().map(|t| t.no).collect();
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let text = sql::render(crate::sql!("load/queue_units.sql"), context! { tables })?;
    let rows = client.query(&text, &[]).cannot("read the units of the standby")?;
    Ok(rows.iter().map(|r| r.get(0)).collect())
}

/// The generations that nobody needs: those before the newest but the one with the standby's name and the one just before.
#[must_use]
pub fn superfluous<'a>(all: &'a [Generation], standby: &str) -> Vec<&'a Generation> {
    let newest = Generation::newest(all).map_or(0, |g| g.number);
    let usable = |g: &&Generation| g.verified && !g.retired && g.number != CLOSED_DATABASE && g.number < newest;
    let before = all.iter().filter(usable).map(|g| g.number).max();
    all.iter().filter(|g| g.database != standby && g.number < newest && Some(g.number) != before).collect()
}

/// Drops what [`superfluous`] names. One whose units the primary's ledger does not show is kept (P6).
pub fn drop_old(site: &Site, standby: &Server) -> Result<(Vec<String>, Vec<Kept>)> {
    let all = Generation::all(standby)?;
    let (mut dropped, mut kept) = (Vec::new(), Vec::new());
    for old in superfluous(&all, standby.database()) {
        let keep = |reason: &str| Kept { database: old.database.clone(), reason: reason.to_owned() };
        if old.gate != Gate::Closed {
            kept.push(keep("its gate is not closed"));
            continue;
        }
        let mut client = standby.connect_to(&old.database)?;
        let xids = units(&mut client)?;
        // What it handed out must be known after it is gone.
        standby::numbers::remember(site, &mut client)?;
        std::mem::drop(client);
        if !xids.is_empty() {
            match primary::has_settled(site, old.number, &xids) {
                Some(true) => {}
                Some(false) => {
                    kept.push(keep("the primary's ledger does not show all of its units as merged, held or rejected"));
                    continue;
                }
                None => {
                    kept.push(keep("the primary cannot be asked whether its units are merged"));
                    continue;
                }
            }
        }
        database::drop(standby, &old.database)?;
        site.store.journal().write(
            &site.by,
            "drop generation",
            None,
            "done",
            json!({ "generation": old.number, "database": old.database }),
        )?;
        dropped.push(old.database.clone());
    }
    Ok((dropped, kept))
}

/// What a rollback did, or would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledBack {
    pub retired: Generation,
    /// The one that will be opened now: the same, as it was before, when a delta was taken back.
    pub next: Generation,
}

/// Takes the last delta back from the newest generation, or, when there is none, sets the generation aside, so that the one
/// before it is opened next.
pub fn rollback(site: &Site, dry_run: bool) -> Result<RolledBack> {
    let _lock = site.store.lock(Kind::Load, &site.by)?;
    let standby = site.profile.standby()?.named(PROGRAM);
    let doing = "go back to the generation before";
    let all = Generation::all(&standby)?;
    guards::require_closed(doing, &all)?;
    guards::require_exported(doing, site, &standby, &all)?;
    if let Some(done) = take_delta_back(site, &standby, &all, dry_run)? {
        return Ok(done);
    }
    let unfinished = begun(site)?
        .and_then(|detail| detail["retired"].as_u64())
        .and_then(|number| all.iter().find(|g| g.number == number && g.retired));
    let newest = match unfinished {
        // A run that was killed after it had done its work: finish it, and do not go back one more.
        Some(retired) => retired,
        None => Generation::newest(&all).ok_or_else(|| {
            Error::refused(doing, "there is no loaded generation").hint("load one: his-load-standby.")
        })?,
    };
    let rest: Vec<Generation> = all.iter().filter(|g| g.number != newest.number).cloned().collect();
    let next = Generation::newest(&rest).ok_or_else(|| {
        Error::refused(doing, format!("there is none before generation {}", newest.number))
            .hint("load another snapshot by its id: his-snapshot list, then his-load-standby ID.")
    })?;
    let doing = format!("go back to generation {}", next.number);
    if let Some(event) = &next.opened_event {
        return Err(Error::refused(
            doing,
            format!("it was opened already, in event '{event}', and a generation is opened fresh once"),
        )
        .hint("load another snapshot by its id: his-snapshot list, then his-load-standby ID."));
    }
    guards::require_newer_than_merge(&doing, site, next.ledger_run)?;
    let done = RolledBack { retired: newest.clone(), next: next.clone() };
    if dry_run {
        return Ok(done);
    }
    let detail = json!({ "retired": newest.number, "generation": next.number, "database": next.database });
    let journal = site.store.journal();
    if unfinished.is_none() {
        journal.write(&site.by, "rollback", None, "begun", detail.clone())?;
        let mut client = standby.connect_to(&newest.database)?;
        client.batch_execute(crate::sql!("load/retire.sql")).cannot(doing)?;
    }
    journal.write(&site.by, "rollback", None, "done", detail)?;
    Ok(done)
}

/// When the newest generation came forward by a delta, the state before is that of the delta's parent.
fn take_delta_back(site: &Site, standby: &Server, all: &[Generation], dry_run: bool) -> Result<Option<RolledBack>> {
    let Some(newest) = Generation::newest(all) else { return Ok(None) };
    let journal = site.store.journal();
    let detail = |delta: &Option<String>| json!({ "generation": newest.number, "database": newest.database, "taken_back": delta });
    // A run that was killed after it had done its work: finish it, and do not go back one more.
    let unfinished = begun(site)?.and_then(|detail| detail["taken_back"].as_str().map(str::to_owned));
    if let Some(delta) = unfinished
        && newest.rolled_back.as_deref() == Some(&*delta)
    {
        if !dry_run {
            journal.write(&site.by, "rollback", None, "done", detail(&Some(delta.clone())))?;
        }
        let retired = Generation { snapshot: Some(delta), ..newest.clone() };
        return Ok(Some(RolledBack { retired, next: newest.clone() }));
    }
    let Some(next) = super::back::before(standby, newest)?.filter(|_| newest.opened_event.is_none()) else {
        return Ok(None);
    };
    let doing = format!("go back to snapshot '{}'", next.snapshot.as_deref().unwrap_or_default());
    guards::require_newer_than_merge(&doing, site, next.ledger_run)?;
    if !dry_run {
        journal.write(&site.by, "rollback", None, "begun", detail(&newest.snapshot))?;
        super::back::go(standby, newest)?;
        journal.write(&site.by, "rollback", None, "done", detail(&newest.snapshot))?;
    }
    Ok(Some(RolledBack { retired: newest.clone(), next }))
}

/// What a rollback began and did not say that it had done.
fn begun(site: &Site) -> Result<Option<serde_json::Value>> {
    let (acts, _) = site.store.journal().read()?;
    let last = acts.into_iter().rev().find(|a| a.act == "rollback" || a.act == "load");
    Ok(last.filter(|a| a.act == "rollback" && a.result == "begun").map(|a| a.detail))
}
