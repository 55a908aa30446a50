//! Receipts in the store: what stands in for the ledger of a primary that cannot be reached.
//!
//! What is merged is still what the ledger says: whoever reaches the primary asks it, and not the receipt.

use super::receipt::{Open, Receipt, Told};
use crate::cli::Site;
use crate::error::{Cannot, Error, Exit, Result};
use crate::formats::batch::{Manifest, UNITS_FILE};
use crate::formats::sums;
use crate::merge::{Standing, captured, ledger};
use crate::queue::Batch;
use crate::store::{Kind, State, Store};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;

/// A receipt that was taken note of.
#[derive(Debug)]
pub struct Settled {
    pub receipt: Receipt,
    /// Of its last event.
    pub last: Standing,
    /// It was not known before.
    pub new: bool,
    pub exit: Exit,
}

impl Settled {
    #[must_use]
    pub fn conflicts(&self) -> Vec<&Open> {
        self.receipt.events.iter().flat_map(|e| &e.conflicts).collect()
    }
}

/// Checks the receipt in `file` against the store's batches, and keeps it for each of its events.
pub fn settle(site: &Site, file: &Path) -> Result<Settled> {
    let doing = || format!("use the receipt '{}'", file.display());
    let _lock = site.store.lock(Kind::Merge, &site.by)?;
    let text =
        std::fs::read(file).map_err(|e| Error::usage(doing(), e).hint("name the file that psql has written (-o)."))?;
    let (receipt, kept) = Receipt::parse(&String::from_utf8_lossy(&text)).map_err(|e| e.restated(doing()))?;
    let mut systems: BTreeSet<String> = BTreeSet::new();
    for told in &receipt.events {
        systems.extend(require_same_batches(&site.store, told).map_err(|e| e.restated(doing()))?);
    }
    if !systems.is_empty() && !systems.contains(&receipt.system_identifier) {
        site.talk.warn(format!(
            "the receipt is of another server than the batches' primary (system identifier {}); it says that it stands for that one",
            receipt.system_identifier
        ));
    }
    let (mut new, mut exit, mut last) = (false, Exit::Done, None);
    for told in &receipt.events {
        let before = of_event(&site.store, &told.event)?;
        if before.as_ref().is_some_and(|b| b.run > receipt.run) {
            return Err(Error::refused(doing(), format!("event '{}' has a later receipt already", told.event))
                .hint("nothing to do: his-merge status shows what it says."));
        }
        let standing = standing(site, &receipt, told)?;
        if !standing.account.balanced || standing.account.units.held > 0 {
            exit = Exit::NeedsPerson;
        }
        if before.as_ref() != Some(&receipt) {
            site.store.replace(&place(&told.event), kept.as_bytes())?;
            let units = standing.account.units;
            let detail = json!({ "run": receipt.run, "batches": told.batches.len(), "units": units, "balanced": standing.account.balanced });
            site.store.journal().write(&site.by, "receipt", Some(&told.event), "done", detail)?;
            new = true;
        }
        last = Some(standing);
    }
    if site.store.state()?.merge_run < receipt.run {
        State::update(&site.store, |s| s.merge_run = s.merge_run.max(receipt.run))?;
    }
    let last = last.ok_or_else(|| Error::damaged(doing(), "it is about no event"))?;
    Ok(Settled { receipt, last, new, exit })
}

/// Each batch of the receipt must be the one that the store has. Gives the primaries that they are of.
fn require_same_batches(store: &Store, told: &Told) -> Result<Vec<String>> {
    let mut systems = Vec::new();
    for merged in &told.batches {
        let dir = store.queue(&told.event).join(format!("{:06}", merged.batch));
        let doing = || "use the receipt".to_owned();
        if !dir.is_dir() {
            return Err(Error::refused(
                doing(),
                format!("it is about batch {} of '{}', which the store does not have", merged.batch, told.event),
            )
            .hint("take the batch from the mirror, or give the receipt to the store that the batches are of."));
        }
        let batch = Batch::open(&dir, store.seal())?;
        if batch.sha256 != merged.sha256 {
            let reason = format!(
                "batch {} of '{}' has the SHA-256 {} there (expected {}, as in the store)",
                merged.batch, told.event, merged.sha256, batch.sha256
            );
            return Err(Error::damaged(doing(), reason)
                .hint("another batch of that number was merged; compare both before anything else is merged."));
        }
        if !merged.totals.equals(&batch.manifest.totals) {
            let reason =
                format!("batch {} of '{}' has other totals there than in its manifest", merged.batch, told.event);
            return Err(Error::damaged(doing(), reason)
                .hint("compare the ledger's batch with the manifest before anything else is merged."));
        }
        systems.push(batch.manifest.primary_system_identifier);
    }
    systems.retain(|s| !s.is_empty());
    Ok(systems)
}

fn place(event: &str) -> String {
    format!("receipts/{event}.txt")
}

/// The receipt that the store keeps of an event.
fn of_event(store: &Store, event: &str) -> Result<Option<Receipt>> {
    let path = store.dir().join(place(event));
    let doing = || format!("use the receipt '{}'", path.display());
    match std::fs::read_to_string(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).cannot(doing()),
        Ok(text) => Receipt::parse(&text)
            .map(|(receipt, _)| Some(receipt))
            .map_err(|e| e.restated(doing()).hint("give it again: his-merge receipt FILE.")),
    }
}

fn standing(site: &Site, receipt: &Receipt, told: &Told) -> Result<Standing> {
    let (captured, closing) = captured(site, &told.event, &told.recorded())?;
    let account = ledger::draw_up(&captured, closing.as_ref(), &told.outcomes());
    Ok(Standing { event: told.event.clone(), account, receipt: Some(receipt.clone()) })
}

/// How an event stands by its receipt, if there is one.
pub fn by_receipt(site: &Site, event: &str) -> Result<Option<Standing>> {
    let Some(receipt) = of_event(&site.store, event)? else { return Ok(None) };
    receipt.of(event).map(|told| standing(site, &receipt, told)).transpose()
}

/// True when receipts show each of these units of a generation as merged, held or rejected.
pub fn covers(store: &Store, generation: u64, xids: &[i64]) -> Result<bool> {
    let mut left: BTreeSet<i64> = xids.iter().copied().collect();
    for event in store.events()? {
        let Some(receipt) = of_event(store, &event)? else { continue };
        for merged in receipt.of(&event).map(|t| t.batches.as_slice()).unwrap_or_default() {
            let dir = store.queue(&event).join(format!("{:06}", merged.batch));
            if !sums::of_file(&dir.join(sums::FILE)).is_ok_and(|found| found == merged.sha256) {
                continue;
            }
            let doing = || format!("read the units of '{}'", dir.display());
            let manifest: Manifest =
                serde_json::from_slice(&std::fs::read(dir.join("manifest.json")).cannot(doing())?).cannot(doing())?;
            if manifest.generation != generation {
                continue;
            }
            let units = store.seal().open_either(&dir, UNITS_FILE).cannot(doing())?;
            let mut units = csv::Reader::from_reader(units);
            for unit in units.records() {
                let unit = unit.map_err(|e| Error::failed(doing(), e))?;
                if let Some(xid) = unit.get(2).and_then(|x| x.parse().ok()) {
                    left.remove(&xid);
                }
            }
        }
    }
    Ok(left.is_empty())
}
