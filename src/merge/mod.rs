//! `his-merge`: brings the batches back into the primary. Plan, apply, prove.

mod apply;
mod cli;
mod ledger;
mod stage;
mod target;

pub use cli::{Cli, main};
pub use ledger::{Account, Counts, MoneyCounts, is_there as ledger_is_there, last_run};

use crate::catalog::Catalog;
use crate::cli::Site;
use crate::db::Client;
use crate::error::{Cannot, Error, Exit, Result};
use crate::formats::batch::{Closing, Totals};
use crate::queue::{self, Batch};
use crate::store::{Kind, Mode, State};
use apply::{Applying, Own};
use serde_json::json;
use std::path::PathBuf;

/// What a run of the merge did, and how the event stands.
#[derive(Debug, Clone)]
pub struct Merged {
    /// `None` when there never was an event.
    pub event: Option<String>,
    pub account: Account,
    /// Units that this run merged and held.
    pub new: Counts,
    /// Done, or 3 when anything is held or does not balance.
    pub exit: Exit,
}

/// Merges `dirs`, or (empty) every batch in the store that the ledger does not have.
///
/// While the windows are on the standby or on paper, somebody must say that the primary is sound: `early`.
/// A gap in the chain is an error (5), after what comes before it has been merged.
pub fn run(site: &Site, dirs: &[PathBuf], early: bool) -> Result<Merged> {
    let _lock = site.store.lock(Kind::Merge, &site.by)?;
    let state = site.store.state()?;
    let live = state.event.as_ref().is_some_and(|e| e.both_live);
    if state.mode != Mode::Normal && !early && !live {
        return Err(Error::refused("merge", format!("the windows are in mode '{}' (expected normal)", state.mode))
            .hint("his-switch primary merges and brings the windows back; use --early if the primary is known to be sound."));
    }
    let mut client = connect(site)?;
    let primary = session(&mut client)?;
    ledger::ensure(&mut client)?;
    let last_run = ledger::last_run(&mut client)?;
    if last_run < state.merge_run {
        return Err(Error::refused("merge", format!("the primary's ledger ends at run {last_run} (expected at least {})", state.merge_run))
            .hint("this primary was restored to a time before the last merge; nothing was changed. Do not bring the windows back before what it forgot has been brought back too."));
    }
    let (work, broken) = pending(site, dirs)?;
    let mut before: Option<(String, Counts)> = None;
    let mut new = Counts::default();
    let mut last_event = state.event.as_ref().map(|e| e.id.clone());
    for batches in work {
        let Some(event) = batches.first().map(|b| b.manifest.event.clone()) else { continue };
        let was = account(site, &mut client, &event)?.units;
        merge_event(site, &mut client, &event, &batches, &primary)?;
        let now = account(site, &mut client, &event)?.units;
        new.merged += now.merged - was.merged;
        new.held += now.held.saturating_sub(was.held);
        before = Some((event.clone(), was));
        if !dirs.is_empty() || last_event.is_none() {
            last_event = Some(event);
        }
    }
    drop(before);
    let seen = ledger::last_run(&mut client)?;
    State::update(&site.store, |s| s.merge_run = s.merge_run.max(seen))?;
    if let Some(error) = broken {
        return Err(error);
    }
    let account = match &last_event {
        Some(event) => account(site, &mut client, event)?,
        None => Account { balanced: true, ..Account::default() },
    };
    let sound = account.balanced && account.units.held == 0;
    Ok(Merged { event: last_event, account, new, exit: if sound { Exit::Done } else { Exit::NeedsPerson } })
}

/// How the current or latest event stands, without merging anything.
pub fn status(site: &Site) -> Result<Option<(String, Account)>> {
    let state = site.store.state()?;
    let event = match state.event {
        Some(event) => Some(event.id),
        None => site.store.events()?.pop(),
    };
    let Some(event) = event else { return Ok(None) };
    let mut client = site.profile.primary()?.named("his-merge").connect()?;
    let account = account(site, &mut client, &event)?;
    Ok(Some((event, account)))
}

/// The batches that a run would merge, in order; damage is an error as in a run. Changes nothing.
pub fn plan(site: &Site, dirs: &[PathBuf]) -> Result<Vec<Batch>> {
    let mut client = site.profile.primary()?.named("his-merge").connect()?;
    let there = ledger::is_there(&mut client)?;
    let (work, broken) = pending(site, dirs)?;
    let mut left = Vec::new();
    for batch in work.into_iter().flatten() {
        let recorded = if there { ledger::batches(&mut client, &batch.manifest.event)? } else { Vec::new() };
        if !recorded.iter().any(|r| r.batch == batch.manifest.batch) {
            left.push(batch);
        }
    }
    match broken {
        Some(error) => Err(error),
        None => Ok(left),
    }
}

fn connect(site: &Site) -> Result<Client> {
    let mut client = site.profile.primary()?.named("his-merge").connect()?;
    let locked = client.query_one(crate::sql!("merge/lock.sql"), &[]).cannot("lock the merge on the primary")?;
    if !locked.get::<_, bool>(0) {
        return Err(Error::new(Exit::Locked, "lock the merge on the primary", "another session of his-merge holds it")
            .hint("a merge is running from another machine, or a killed one is just ending; try again in a moment."));
    }
    Ok(client)
}

/// The server that is merged into; read once a run, because nothing may change its schema meanwhile and go unnoticed:
/// a change shows as a refused or unequal row.
struct Primary {
    system: String,
    own: Own,
    catalog: Catalog,
}

/// The primary's own settings and schema, and that it is one that can be written to.
fn session(client: &mut Client) -> Result<Primary> {
    let row = client.query_one(crate::sql!("merge/session.sql"), &[]).cannot("read the primary's settings")?;
    if row.get::<_, bool>(3) {
        return Err(Error::refused("merge", "this server is a replica in recovery, not the primary")
            .hint("point [primary] url at the server that takes writes, or promote this one."));
    }
    let own = Own { timezone: row.get(0), search_path: row.get(1) };
    Ok(Primary { system: row.get(2), own, catalog: Catalog::read(client)? })
}

/// The batches to look at, by event in order of epochs, and the first break of a chain.
fn pending(site: &Site, dirs: &[PathBuf]) -> Result<(Vec<Vec<Batch>>, Option<Error>)> {
    let mut work: Vec<Vec<Batch>> = Vec::new();
    if dirs.is_empty() {
        for event in site.store.events()? {
            let (good, broken) = queue::chain(&site.store, &event)?;
            work.push(good);
            if broken.is_some() {
                return Ok((work, broken));
            }
        }
        return Ok((work, None));
    }
    let mut batches = dirs.iter().map(|d| Batch::open(d)).collect::<Result<Vec<_>>>()?;
    batches.sort_by_key(|b| (b.manifest.epoch, b.manifest.batch));
    for batch in batches {
        match work.last_mut() {
            Some(last) if last.last().is_some_and(|b| b.manifest.event == batch.manifest.event) => last.push(batch),
            _ => work.push(vec![batch]),
        }
    }
    Ok((work, None))
}

/// Merges those of `batches` that the ledger does not have, each following the one before.
fn merge_event(site: &Site, client: &mut Client, event: &str, batches: &[Batch], primary: &Primary) -> Result<()> {
    let recorded = ledger::batches(client, event)?;
    let mut before = recorded.last().map(|r| (r.batch, r.sha256.clone()));
    for batch in batches {
        let m = &batch.manifest;
        let doing = || format!("merge batch {} of '{event}'", m.batch);
        if m.drill {
            return Err(Error::refused(doing(), "it is of a drill; a drill's units are never merged")
                .hint("there is nothing to do with it."));
        }
        if let Some(known) = recorded.iter().find(|r| r.batch == m.batch) {
            if known.sha256 != batch.sha256 {
                return Err(Error::damaged(
                    doing(),
                    format!(
                        "another batch of that number is merged already (its SHA-256 is {}, this one's {})",
                        known.sha256, batch.sha256
                    ),
                ));
            }
            continue;
        }
        let expected = before.as_ref().map_or(1, |(number, _)| number + 1);
        let follows = before.as_ref().is_none_or(|(_, sha256)| *sha256 == m.previous);
        if m.batch != expected || !follows {
            return Err(Error::damaged(doing(), format!("it does not follow what is merged (batch {expected} is the next, after SHA-256 {})", before.map_or_else(|| "none".to_owned(), |b| b.1)))
                .hint("give the missing batch as well, or leave the directories out so that all of the store are merged in order."));
        }
        merge_batch(site, client, batch, primary)?;
        before = Some((m.batch, batch.sha256.clone()));
    }
    Ok(())
}

fn merge_batch(site: &Site, client: &mut Client, batch: &Batch, primary: &Primary) -> Result<()> {
    let m = &batch.manifest;
    let system = &primary.system;
    if !m.primary_system_identifier.is_empty() && *system != m.primary_system_identifier {
        return Err(Error::refused(
            format!("merge batch {} of '{}'", m.batch, m.event),
            format!(
                "this primary is another server (system identifier {system}, expected {})",
                m.primary_system_identifier
            ),
        )
        .hint("check [primary] url; a primary rebuilt from a dump must first get back what it lost."));
    }
    let targets = target::targets(m, &primary.catalog, &site.profile)?;
    let epoch = i64::try_from(m.epoch).unwrap_or(i64::MAX);
    let row = client
        .query_one(crate::sql!("merge/begin_run.sql"), &[&m.event, &epoch, &site.by, &crate::store::host()])
        .cannot("begin a run in the merge ledger")?;
    let run: i64 = row.get(0);
    let staged = stage::stage(client, batch, &targets)?;
    let bar = site.talk.bar(m.totals.units, "merging units");
    let applying = Applying { batch, targets: &targets, catalog: &primary.catalog, own: &primary.own, run };
    applying.all(client, staged, |done| bar.set_position(done))?;
    bar.finish_and_clear();
    ledger::record_batch(client, batch, run)?;
    client.execute(crate::sql!("merge/end_run.sql"), &[&run]).cannot("end the run in the merge ledger")?;
    site.store.journal().write(
        &site.by,
        "merge",
        Some(&m.event),
        "done",
        json!({ "batch": m.batch, "units": m.totals.units, "run": run }),
    )
}

/// The account of `event`. Captured is what the manifests say: of the batches in the ledger, and of those in the store
/// that are not in it yet.
fn account(site: &Site, client: &mut Client, event: &str) -> Result<Account> {
    let recorded = if ledger::is_there(client)? { ledger::batches(client, event)? } else { Vec::new() };
    let mut captured = Totals::default();
    let mut closing: Option<Closing> = None;
    for batch in &recorded {
        captured.add(&batch.totals);
        closing = batch.closing.clone().or(closing);
    }
    let (chain, _) = queue::chain(&site.store, event)?;
    for batch in chain.iter().filter(|b| !recorded.iter().any(|r| r.batch == b.manifest.batch)) {
        captured.add(&batch.manifest.totals);
        closing = batch.manifest.closing.clone().or(closing);
    }
    ledger::account(client, event, &captured, closing.as_ref())
}
