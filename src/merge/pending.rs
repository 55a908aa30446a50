//! Which batches there are to merge: those of the store or of the directories named, in the order of their chains, without
//! those that the ledger has.

use super::ledger::{self, Recorded};
use crate::cli::Site;
use crate::db::Client;
use crate::error::{Error, Result};
use crate::queue::{self, Batch};
use std::path::PathBuf;

/// What a run has to do.
pub struct Work {
    pub batches: Vec<Batch>,
    /// The event of the last batch looked at.
    pub last_event: Option<String>,
    /// The first break of a chain; what comes before it is in `batches`.
    pub broken: Option<Error>,
}

/// The batches to merge, by event in order of epochs. A batch of a drill, or one of a number that the ledger has with other
/// content, is an error; so is one that does not follow.
pub fn pending(site: &Site, client: &mut Client, dirs: &[PathBuf]) -> Result<Work> {
    let there = ledger::is_there(client)?;
    let mut work = Work { batches: Vec::new(), last_event: None, broken: None };
    let mut recorded = |event: &str| if there { ledger::batches(client, event) } else { Ok(Vec::new()) };
    if dirs.is_empty() {
        for event in site.store.events()? {
            let known = recorded(&event)?;
            work.last_event = Some(event.clone());
            // A batch that the ledger has is not read again: what is merged is what the ledger says.
            let (chain, broken) = queue::chain_after(&site.store, &event, &known_sums(&known))?;
            for batch in chain {
                add(&mut work, batch, &known)?;
            }
            if broken.is_some() {
                work.broken = broken;
                return Ok(work);
            }
        }
        return Ok(work);
    }
    let mut batches = dirs.iter().map(|d| Batch::open(d, site.store.seal())).collect::<Result<Vec<_>>>()?;
    batches.sort_by_key(|b| (b.manifest.epoch, b.manifest.batch));
    for batch in batches {
        let known = recorded(&batch.manifest.event)?;
        work.last_event = Some(batch.manifest.event.clone());
        add(&mut work, batch, &known)?;
    }
    Ok(work)
}

fn known_sums(known: &[Recorded]) -> Vec<(u64, String)> {
    known.iter().map(|r| (r.batch, r.sha256.clone())).collect()
}

/// Adds `batch` unless the ledger has it.
fn add(work: &mut Work, batch: Batch, known: &[Recorded]) -> Result<()> {
    let m = &batch.manifest;
    let doing = || format!("merge batch {} of '{}'", m.batch, m.event);
    if m.drill {
        return Err(Error::refused(doing(), "it is of a drill; a drill's units are never merged")
            .hint("there is nothing to do with it."));
    }
    if let Some(known) = known.iter().find(|r| r.batch == m.batch) {
        if known.sha256 != batch.sha256 {
            return Err(Error::damaged(
                doing(),
                format!(
                    "another batch of that number is merged already (its SHA-256 is {}, this one's {})",
                    known.sha256, batch.sha256
                ),
            ));
        }
        return Ok(());
    }
    let staged = work.batches.iter().rfind(|b| b.manifest.event == m.event);
    let before = staged
        .map(|b| (b.manifest.batch, b.sha256.clone()))
        .or_else(|| known.last().map(|r| (r.batch, r.sha256.clone())));
    let expected = before.as_ref().map_or(1, |(number, _)| number + 1);
    let follows = before.as_ref().is_none_or(|(_, sha256)| *sha256 == m.previous);
    if m.batch != expected || !follows {
        let error = Error::damaged(doing(), format!("it does not follow what is merged (batch {expected} is the next, after SHA-256 {})", before.map_or_else(|| "none".to_owned(), |b| b.1)))
            .hint("give the missing batch as well, or leave the directories out so that all of the store are merged in order.");
        // What comes before the gap is merged all the same.
        if work.broken.is_none() {
            work.broken = Some(error);
        }
        return Ok(());
    }
    work.batches.push(batch);
    Ok(())
}
