//! `reconcile`: proves that everything captured is merged, held or rejected, and that the primary holds what was merged.
//!
//! `read` brings the event's batches back into temporary tables, `sheet` counts them against manifests and ledger,
//! `differences` compares each merged row with the primary's, `notes`, `drawer` and `paper` list what finance must know beside it,
//! `reports` asks the profile's own questions; `show` prints it and `finance` writes it for a spreadsheet.

mod cli;
mod differences;
mod drawer;
mod finance;
mod notes;
mod paper;
mod read;
mod reports;
mod sheet;
mod show;
mod values;
mod words;

pub use cli::{Args, command};
pub use differences::{Accepted, Difference};
pub use drawer::{Amount, Loose, Owed, drawer};
pub use notes::{Already, Linked, Notes, Policy};
pub use paper::{Paper, Slips};
pub use read::Oversold;
pub use reports::Report;
pub use sheet::{Kind, Line, Sheet};
pub use show::json;
pub(super) use values::compared_tables;

use super::{Account, Primary, connect, ledger, require_same_primary, session, shape, sign_off, stage, target};
use crate::cli::Site;
use crate::db::Client;
use crate::error::{Cannot, Error, Exit, Result};
use crate::formats::batch::{Closing, Totals};
use crate::queue::{self, Batch};
use crate::store::Kind as LockKind;
use serde_json::json;
use sign_off::Signature;
use std::collections::BTreeSet;
use tokio_postgres::IsolationLevel;

/// How an event stands, to the cent.
#[derive(Debug, Clone)]
pub struct Reconciled {
    pub event: String,
    /// By the manifests and the ledger.
    pub account: Account,
    /// By the rows of the batches.
    pub sheet: Sheet,
    /// Every difference, accepted ones too.
    pub differences: Vec<Difference>,
    /// Where batches, manifests, closing record and ledger do not say the same.
    pub faults: Vec<String>,
    /// Numbers of batches that are not in the store.
    pub missing: Vec<u64>,
    pub oversold: Vec<Oversold>,
    pub notes: Notes,
    pub drawer: Vec<Loose>,
    pub paper: Paper,
    pub reports: Vec<Report>,
    /// Who has signed the event off.
    pub signed: Vec<Signature>,
}

impl Reconciled {
    /// Differences that nobody has accepted.
    pub fn open(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|d| d.accepted.is_none())
    }

    /// Captured = merged + held + rejected, as the batches, their manifests and the ledger say alike.
    #[must_use]
    pub fn accounted(&self) -> bool {
        self.faults.is_empty()
    }

    /// Accounted for, and the primary holds it.
    #[must_use]
    pub fn balanced(&self) -> bool {
        self.accounted() && self.open().next().is_none()
    }

    #[must_use]
    pub fn exit(&self) -> Exit {
        let asked = self.reports.iter().all(|r| r.error.is_none());
        if self.balanced() && asked { Exit::Done } else { Exit::NeedsPerson }
    }
}

/// Differences that a person finds lawful.
#[derive(Debug, Clone, Default)]
pub struct Accept {
    pub ids: Vec<i64>,
    pub why: String,
}

/// Reconciles `event`, or the current or latest one; `None` when there never was one. What `accept` names is recorded as lawful.
pub fn run(site: &Site, event: Option<&str>, accept: Option<&Accept>) -> Result<Option<Reconciled>> {
    let _lock = site.store.lock(LockKind::Merge, &site.by)?;
    let Some(event) = which(site, event)? else { return Ok(None) };
    let mut client = connect(site)?;
    let mut found = read_back(site, &mut client, &event)?;
    if let Some(accept) = accept {
        let ids = differences::accept(&mut client, &site.by, &mut found.differences, &accept.ids, &accept.why)?;
        if !ids.is_empty() {
            let detail = json!({ "differences": ids, "why": accept.why });
            site.store.journal().write(&site.by, "accept difference", Some(&event), "done", detail)?;
        }
    }
    Ok(Some(found))
}

/// The event that is meant when none is named: the current or latest.
pub(super) fn which(site: &Site, event: Option<&str>) -> Result<Option<String>> {
    if let Some(event) = event {
        return Ok(Some(event.to_owned()));
    }
    match site.store.state()?.event {
        Some(event) => Ok(Some(event.id)),
        None => Ok(site.store.events()?.pop()),
    }
}

/// Reconciles on a session that holds the merge's lock, so that nothing is merged meanwhile.
pub(super) fn read_back(site: &Site, client: &mut Client, event: &str) -> Result<Reconciled> {
    let primary = session(client)?;
    ledger::ensure(client)?;
    let (chain, broken) = queue::chain(&site.store, event)?;
    if let Some(error) = broken {
        return Err(error);
    }
    let said = said(site, client, event, &chain)?;
    let account = ledger::account(client, event, &said.totals, said.closing.as_ref())?;
    let mut batches = chain;
    batches.extend(later(site, event)?);
    for batch in &batches {
        require_same_primary(client, &batch.manifest, &primary.system)?;
    }
    let mut found = stage_and_compare(site, client, event, &batches, &primary, account)?;
    found.faults.extend(said.faults(&found.account));
    let (last, known) = (ledger::last_run(client)?, site.store.state()?.merge_run);
    if last < known {
        found.faults.push(format!(
            "the primary's ledger ends at run {last}, the store has seen run {known}: the primary was put back to an earlier time"
        ));
    }
    found.missing = said.missing;
    found.notes = Notes::read(client, event)?;
    found.drawer = drawer(client, Some(event))?;
    found.paper = paper::read(site, client, event)?;
    found.faults.extend(found.paper.faults.clone());
    found.signed = sign_off::signatures(client, event)?;
    Ok(found)
}

fn stage_and_compare(
    site: &Site,
    client: &mut Client,
    event: &str,
    batches: &[Batch],
    primary: &Primary,
    account: Account,
) -> Result<Reconciled> {
    let shapes = shape::shapes(client, batches, &primary.catalog, &site.profile)?;
    let targets = target::targets(&shapes, &primary.catalog, &site.profile)?;
    let mut tx = client.transaction().cannot("begin the reconciliation")?;
    let input = stage::Input { batches, shapes: &shapes, targets: &targets, search_path: &primary.own.search_path };
    read::stage(&mut tx, &input, event, &primary.catalog, &site.profile)?;
    tx.commit().cannot("read the captured units back")?;

    // What the primary holds is read at one instant, and nothing of it is written.
    let doing = "compare with the primary";
    let begun = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true).start();
    let mut tx = begun.cannot(doing)?;
    tx.batch_execute(crate::sql!("export/pins.sql")).cannot(doing)?;
    tx.query(crate::sql!("merge/own_path.sql"), &[&primary.own.search_path]).cannot(doing)?;
    let mut sheet = Sheet::read(&mut tx, event)?;
    let rows = differences::compare(&mut tx, &targets)?;
    let oversold = read::oversold(&mut tx, &targets)?;
    tx.query(crate::sql!("merge/settings.sql"), &[&primary.own.timezone, &primary.own.search_path]).cannot(doing)?;
    tx.batch_execute(crate::sql!("merge/reconcile/report_settings.sql")).cannot(doing)?;
    let reports = reports::run(&mut tx, site)?;
    tx.commit().cannot(doing)?;

    sheet.read_back(&rows);
    let differences = differences::numbered(client, event, &rows)?;
    Ok(Reconciled {
        event: event.to_owned(),
        faults: sheet.faults(&account),
        account,
        sheet,
        differences,
        missing: Vec::new(),
        oversold,
        notes: Notes::default(),
        drawer: Vec::new(),
        paper: Paper::default(),
        reports,
        signed: Vec::new(),
    })
}

/// What the manifests of an event say together.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub totals: Totals,
    pub closing: Option<Closing>,
    /// Numbers of batches that are not in the store, by the chain, the ledger and the closing record.
    pub missing: Vec<u64>,
}

/// By the batches of the store, and by the ledger's memory of those that are not there.
pub(super) fn said(site: &Site, client: &mut Client, event: &str, chain: &[Batch]) -> Result<Said> {
    let recorded = if ledger::is_there(client)? { ledger::batches(client, event)? } else { Vec::new() };
    let mut there: BTreeSet<u64> = site.store.batches(event)?.into_iter().map(|(number, _)| number).collect();
    let known_to_state = site.store.state()?.event.is_some_and(|e| e.id == event);
    if recorded.is_empty() && there.is_empty() && !known_to_state {
        return Err(Error::usage(
            format!("reconcile the event '{event}'"),
            "neither the store nor the primary's ledger knows it",
        )
        .hint("his-export-queue list shows the events of the store; without a name the latest is taken."));
    }
    let mut said = Said::default();
    for batch in chain {
        let m = &batch.manifest;
        if let Some(r) = recorded.iter().find(|r| r.batch == m.batch && r.sha256 != batch.sha256) {
            return Err(Error::damaged(
                format!("reconcile batch {} of '{event}'", m.batch),
                format!("its SHA-256 is {} (expected {}, which is merged)", batch.sha256, r.sha256),
            )
            .hint("take the batch that was merged from the mirror or a copy; the store's is another."));
        }
        said.totals.add(&m.totals);
        said.closing = m.closing.clone().or(said.closing);
    }
    for r in recorded.iter().filter(|r| !chain.iter().any(|b| b.manifest.batch == r.batch)) {
        said.totals.add(&r.totals);
        said.closing = r.closing.clone().or(said.closing);
    }
    let last =
        there.iter().copied().chain(recorded.iter().map(|r| r.batch)).chain(said.closing.as_ref().map(|c| c.batches));
    let last = last.max().unwrap_or(0);
    said.missing = (1..=last).filter(|n| !there.remove(n)).collect();
    Ok(said)
}

impl Said {
    fn faults(&self, account: &Account) -> Vec<String> {
        let mut faults = Vec::new();
        if !self.missing.is_empty() {
            faults.push(format!(
                "missing in the store: {} {}",
                if self.missing.len() == 1 { "batch" } else { "batches" },
                numbers(&self.missing)
            ));
        }
        if let Some(closing) = &self.closing
            && !closing.totals.equals(&self.totals)
        {
            let (c, t) = (&closing.totals, &self.totals);
            faults.push(format!(
                "the closing record says {} units and {} rows, the manifests together say {} and {}, or their money differs",
                c.units, c.rows, t.units, t.rows
            ));
        }
        debug_assert_eq!(account.closed, self.closing.is_some());
        faults
    }
}

/// Numbers as people list them.
pub(super) fn numbers(list: &[u64]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Batches of the events after this one: what they did to the same rows came later, and is no difference.
fn later(site: &Site, event: &str) -> Result<Vec<Batch>> {
    let mut batches = Vec::new();
    for other in site.store.events()?.into_iter().skip_while(|e| e != event).skip(1) {
        let (chain, broken) = queue::chain(&site.store, &other)?;
        if let Some(error) = broken {
            site.talk.warn(format!("of the later event {other} only the batches before this are looked at: {error}"));
        }
        batches.extend(chain);
    }
    Ok(batches)
}
