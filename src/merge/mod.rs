//! `his-merge`: brings the batches back into the primary. Plan, apply, prove.
//!
//! `pending` says which batches there are to merge, `shape` and `target` what their tables mean on the primary (`rules`: what
//! ties rows together), `stage` brings them into temporary tables, `plan` decides what is held, `apply` does the rest.

mod apply;
pub mod backfill;
mod chunk;
mod cli;
mod conflicts;
mod forgotten;
mod ledger;
mod link;
mod mask;
pub mod numbers;
mod pending;
mod plan;
pub mod reconcile;
mod resolve;
mod rules;
pub mod script;
mod shape;
mod show;
pub mod sign_off;
mod stage;
mod statements;
mod target;
mod wipe;

pub use cli::{Cli, main};
pub use conflicts::{Conflict, Detail};
pub use forgotten::{Forgotten, Known};
pub use ledger::{Account, Counts, MoneyCounts, is_there as ledger_is_there, last_run};
pub use resolve::{Decision, Resolved, Take, resolve};

use crate::catalog::Catalog;
use crate::cli::Site;
use crate::db::Client;
use crate::error::{Cannot, Error, Exit, Result};
use crate::formats::batch::{Closing, Manifest, Totals};
use crate::queue::{self, Batch};
use crate::store::{Kind, Mode, State};
use apply::{Applying, Own};
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;

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
    if let Some(nowhere) = dirs.iter().find(|d| !d.is_dir()) {
        return Err(Error::usage(format!("merge '{}'", nowhere.display()), "there is no such directory").hint(
            "his-export-queue list shows the batches of the store; without a directory all of them are merged.",
        ));
    }
    let _lock = site.store.lock(Kind::Merge, &site.by)?;
    let state = site.store.state()?;
    let live = state.event.as_ref().is_some_and(|e| e.both_live);
    if state.mode != Mode::Normal && !early && !live {
        return Err(Error::refused("merge", format!("the windows are in mode '{}' (expected normal)", state.mode))
            .hint("his-switch primary merges and brings the windows back; use --early if the primary is known to be sound."));
    }
    let mut client = connect(site)?;
    let primary = session(&mut client)?;
    let work = pending::pending(site, &mut client, dirs)?;
    let snapshots = work.batches.iter().map(|b| b.manifest.snapshot.clone());
    Known::of(site, &state, snapshots).require(&mut client, "merge")?;
    ledger::ensure(&mut client)?;
    let mut last_event = state.event.as_ref().map(|e| e.id.clone());
    let mut new = Counts::default();
    if !work.batches.is_empty() || decided_and_held(&mut client)? {
        let before = ledger::counts(&mut client)?;
        merge_all(site, &mut client, &work.batches, &primary)?;
        let after = ledger::counts(&mut client)?;
        new.merged = after.merged.saturating_sub(before.merged);
        new.held = after.held.saturating_sub(before.held);
    }
    if !dirs.is_empty() || last_event.is_none() {
        last_event = work.last_event.or(last_event);
    }
    let seen = ledger::last_run(&mut client)?;
    State::update(&site.store, |s| s.merge_run = s.merge_run.max(seen))?;
    if let Some(error) = work.broken {
        return Err(error);
    }
    let account = match &last_event {
        Some(event) => account(site, &mut client, event)?,
        None => Account { balanced: true, ..Account::default() },
    };
    let sound = account.balanced && account.units.held == 0;
    Ok(Merged { event: last_event, account, new, exit: if sound { Exit::Done } else { Exit::NeedsPerson } })
}

/// Whether a decision was recorded and not carried out, as when its run was killed between the two.
fn decided_and_held(client: &mut Client) -> Result<bool> {
    Ok(client.query_one(crate::sql!("merge/decided_and_held.sql"), &[]).cannot("read the merge ledger")?.get(0))
}

/// How an event stands.
#[derive(Debug, Clone)]
pub struct Standing {
    pub event: String,
    pub account: Account,
    /// Known by the receipt of a script, because the primary cannot be reached.
    pub receipt: Option<script::receipt::Receipt>,
}

/// How the current or latest event stands, without merging anything. A primary that cannot be reached is stood in for by
/// the receipt of a script that was run there.
pub fn status(site: &Site) -> Result<Option<Standing>> {
    let state = site.store.state()?;
    let event = match state.event {
        Some(event) => Some(event.id),
        None => site.store.events()?.pop(),
    };
    let Some(event) = event else { return Ok(None) };
    let mut client = match site.profile.primary()?.named("his-merge").connect() {
        Err(e) if e.exit() == Exit::Unreachable => return script::by_receipt(site, &event)?.map(Some).ok_or(e),
        other => other?,
    };
    let account = account(site, &mut client, &event)?;
    Ok(Some(Standing { event, account, receipt: None }))
}

/// What a run would do.
#[derive(Debug, Clone, Default)]
pub struct Planned {
    pub batches: Vec<Batch>,
    pub merge: u64,
    pub held: u64,
    pub rejected: u64,
    /// Unit, table, kind and reason of every conflict that the plan finds.
    pub conflicts: Vec<(String, Option<String>, String, String)>,
}

/// Plans a run in a transaction that is rolled back. What a rule of the primary would refuse is found only by trying, and so
/// not here. Damage is an error as in a run.
pub fn plan(site: &Site, dirs: &[PathBuf]) -> Result<Planned> {
    let doing = "plan the merge";
    let mut client = site.profile.primary()?.named("his-merge").connect()?;
    let primary = session(&mut client)?;
    let work = pending::pending(site, &mut client, dirs)?;
    let snapshots = work.batches.iter().map(|b| b.manifest.snapshot.clone());
    Known::of(site, &site.store.state()?, snapshots).require(&mut client, "merge")?;
    if let Some(error) = work.broken {
        return Err(error);
    }
    let mut planned = Planned { batches: work.batches, ..Planned::default() };
    if planned.batches.is_empty() {
        return Ok(planned);
    }
    for batch in &planned.batches {
        require_same_primary(&mut client, &batch.manifest, &primary.system)?;
    }
    let there = ledger::is_there(&mut client)?;
    let mut tx = client.transaction().cannot(doing)?;
    let ledger = if there { crate::sql!("merge/ledger_later.sql") } else { crate::sql!("merge/ledger.sql") };
    tx.batch_execute(ledger).cannot(doing)?;
    let shapes = shape::shapes(&mut tx, &planned.batches, &primary.catalog, &site.profile)?;
    let targets = target::targets(&shapes, &primary.catalog, &site.profile)?;
    let search_path = &primary.own.search_path;
    let input = stage::Input { batches: &planned.batches, shapes: &shapes, targets: &targets, search_path };
    stage::stage(&mut tx, &input)?;
    plan::plan(&mut tx, &targets, &primary.catalog, &primary.own.search_path)?;
    let row = tx.query_one(crate::sql!("merge/planned.sql"), &[]).cannot(doing)?;
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    (planned.merge, planned.held, planned.rejected) = (count(row.get(0)), count(row.get(1)), count(row.get(2)));
    for row in tx.query(crate::sql!("merge/planned_conflicts.sql"), &[]).cannot(doing)? {
        let no = usize::try_from(row.get::<_, Option<i32>>(1).unwrap_or(0)).unwrap_or(0);
        let table = targets.iter().find(|t| t.no == no).map(|t| t.name.clone());
        planned.conflicts.push((row.get(0), table, row.get(2), row.get(3)));
    }
    tx.rollback().cannot(doing)?;
    Ok(planned)
}

/// A lock that another session holds is asked for this often, a tenth of a second apart.
const LOCK_TRIES: u32 = 20;

fn connect(site: &Site) -> Result<Client> {
    let mut client = site.profile.primary()?.named("his-merge").connect()?;
    // The session of a run that has just ended goes on for a moment, until the server has put its temporary tables away.
    for tries in 0..LOCK_TRIES {
        if tries > 0 {
            std::thread::sleep(Duration::from_millis(100));
        }
        let locked = client.query_one(crate::sql!("merge/lock.sql"), &[]).cannot("lock the merge on the primary")?;
        if locked.get::<_, bool>(0) {
            return Ok(client);
        }
    }
    Err(Error::new(Exit::Locked, "lock the merge on the primary", "another session of his-merge holds it")
        .hint("a merge is running from another machine, or a killed one is just ending; try again in a moment."))
}

/// The server that is merged into; read once a run, because nothing may change its schema meanwhile and go unnoticed:
/// a change shows as a refused or unequal row.
struct Primary {
    system: String,
    own: Own,
    catalog: Catalog,
}

/// The primary's own settings and schema, and that it is one that can be written to. Once a connection, before anything is staged.
fn session(client: &mut Client) -> Result<Primary> {
    client.batch_execute(crate::sql!("merge/memory.sql")).cannot("begin a session on the primary")?;
    let row = client.query_one(crate::sql!("merge/session.sql"), &[]).cannot("read the primary's settings")?;
    if row.get::<_, bool>(3) {
        return Err(Error::refused("merge", "this server is a replica in recovery, not the primary")
            .hint("point [primary] url at the server that takes writes, or promote this one."));
    }
    let own = Own { timezone: row.get(0), search_path: row.get(1) };
    Ok(Primary { system: row.get(2), own, catalog: Catalog::read(client)? })
}

/// Merges `batches` together with what is held, writes them into the ledger and into the journal.
fn merge_all(site: &Site, client: &mut Client, batches: &[Batch], primary: &Primary) -> Result<()> {
    for batch in batches {
        require_same_primary(client, &batch.manifest, &primary.system)?;
    }
    backfill::settle(site, client, primary)?;
    let shapes = shape::shapes(client, batches, &primary.catalog, &site.profile)?;
    let targets = target::targets(&shapes, &primary.catalog, &site.profile)?;
    let run = begin_run(site, client, batches)?;
    let units: u64 = batches.iter().map(|b| b.manifest.totals.units).sum();
    let bar = site.talk.bar(units, "merging units");
    let mut tx = client.transaction().cannot("begin the merge")?;
    let input = stage::Input { batches, shapes: &shapes, targets: &targets, search_path: &primary.own.search_path };
    let staged = stage::stage(&mut tx, &input)?;
    plan::plan(&mut tx, &targets, &primary.catalog, &primary.own.search_path)?;
    let chunks = chunk::number(&mut tx, staged.last, &targets)?;
    tx.commit().cannot("plan the merge")?;
    let applying = Applying { targets: &targets, own: &primary.own, run, by: &site.by };
    applying.all(client, chunks, |done| {
        // All but the last are about the same.
        bar.set_position(units * u64::try_from(done).unwrap_or(0) / u64::try_from(chunks.max(1)).unwrap_or(1));
    })?;
    bar.finish_and_clear();
    for batch in batches {
        ledger::record_batch(client, batch, run)?;
    }
    client.execute(crate::sql!("merge/end_run.sql"), &[&run]).cannot("end the run in the merge ledger")?;
    for batch in batches {
        let m = &batch.manifest;
        let detail = json!({ "batch": m.batch, "units": m.totals.units, "run": run });
        site.store.journal().write(&site.by, "merge", Some(&m.event), "done", detail)?;
    }
    Ok(())
}

/// Notes the run, and the events it is about.
fn begin_run(site: &Site, client: &mut Client, batches: &[Batch]) -> Result<i64> {
    let doing = "begin a run in the merge ledger";
    for batch in batches {
        let m = &batch.manifest;
        let epoch = i64::try_from(m.epoch).unwrap_or(i64::MAX);
        client.execute(crate::sql!("merge/begin_event.sql"), &[&m.event, &epoch]).cannot(doing)?;
    }
    let event = batches.last().map_or("", |b| b.manifest.event.as_str());
    let row = client
        .query_one(crate::sql!("merge/begin_run.sql"), &[&event, &site.by, &crate::store::host()])
        .cannot(doing)?;
    Ok(row.get(0))
}

fn require_same_primary(client: &mut Client, m: &Manifest, system: &str) -> Result<()> {
    let expected = &m.primary_system_identifier;
    if expected.is_empty() || expected == system || backfill::stands_for(client, expected)? {
        return Ok(());
    }
    Err(Error::refused(
        format!("merge batch {} of '{}'", m.batch, m.event),
        format!(
            "this primary is another server (system identifier {system}, expected {})",
            m.primary_system_identifier
        ),
    )
    .hint(format!(
        "check [primary] url; a primary rebuilt from a dump must first get back what it lost: his-merge backfill {} --rebuilt.",
        if m.snapshot.is_empty() { "SNAPSHOT" } else { &m.snapshot }
    )))
}

/// The account of `event`. Captured is what the manifests say: of the batches in the ledger, and of those in the store
/// that are not in it yet.
fn account(site: &Site, client: &mut Client, event: &str) -> Result<Account> {
    let recorded = if ledger::is_there(client)? { ledger::batches(client, event)? } else { Vec::new() };
    let (captured, closing) = captured(site, event, &recorded)?;
    ledger::account(client, event, &captured, closing.as_ref())
}

/// What the manifests of the event say: of the batches that are `recorded` as merged, and of those in the store that are not.
fn captured(site: &Site, event: &str, recorded: &[ledger::Recorded]) -> Result<(Totals, Option<Closing>)> {
    let mut captured = Totals::default();
    let mut closing: Option<Closing> = None;
    for batch in recorded {
        captured.add(&batch.totals);
        closing = batch.closing.clone().or(closing);
    }
    let known: Vec<(u64, String)> = recorded.iter().map(|r| (r.batch, r.sha256.clone())).collect();
    let (chain, _) = queue::chain_after(&site.store, event, &known)?;
    for batch in chain.iter().filter(|b| !recorded.iter().any(|r| r.batch == b.manifest.batch)) {
        captured.add(&batch.manifest.totals);
        closing = batch.manifest.closing.clone().or(closing);
    }
    Ok((captured, closing))
}
