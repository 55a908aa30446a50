//! `numbers`: what became of every emergency number that the standby handed out, and of every official number given for one.
//!
//! `blocks` looks through the captured rows, `official` through the ledger and the primary; `show` prints it.

mod blocks;
mod official;
mod show;

pub use blocks::{Block, Cause, Gap};
pub use official::{Missing, Official, Repeat};
pub use show::{Args, command};

use super::ledger;
use crate::cli::Site;
use crate::db::Client;
use crate::error::{Error, Exit, Result};
use crate::queue;

/// Every number of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbers {
    pub event: String,
    /// The event has its closing record: no unit can follow that fills a gap.
    pub closed: bool,
    pub blocks: Vec<Block>,
    pub official: Vec<Official>,
}

impl Numbers {
    /// Needs a person when a number stands for two things.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let once =
            self.blocks.iter().all(|b| b.repeats.is_empty()) && self.official.iter().all(|o| o.repeats.is_empty());
        if once { Exit::Done } else { Exit::NeedsPerson }
    }
}

/// Looks through `event`, or the current or latest one; `None` when there never was one.
pub fn run(site: &Site, event: Option<&str>) -> Result<Option<Numbers>> {
    let Some(event) = super::reconcile::which(site, event)? else { return Ok(None) };
    let (chain, broken) = queue::chain(&site.store, &event)?;
    if let Some(error) = broken {
        return Err(error);
    }
    if chain.is_empty() && site.store.state()?.event.is_none_or(|e| e.id != event) {
        return Err(Error::usage(format!("look through the numbers of '{event}'"), "the store has no batch of it")
            .hint("his-export-queue list shows the events of the store; without a name the latest is taken."));
    }
    let mut client: Client = site.profile.primary()?.named("his-merge").connect()?;
    let blocks = blocks::blocks(site, &mut client, &event, &chain)?;
    let official =
        if ledger::is_there(&mut client)? { official::official(site, &mut client, &event)? } else { Vec::new() };
    let closed = chain.last().is_some_and(|b| b.manifest.closing.is_some());
    Ok(Some(Numbers { event, closed, blocks, official }))
}
