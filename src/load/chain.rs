//! How a snapshot is reached: a full one by itself, a delta from the generation of its parent, or from the full snapshot
//! at the beginning of its chain.

use crate::cli::Site;
use crate::error::Result;
use crate::formats::snapshot::Kind;
use crate::profile::Profile;
use crate::snapshot::{self, Snapshot};
use crate::standby::Generation;

/// What has to be done, in order.
pub struct Chain {
    /// The generation that comes forward; `None`: a new one is built of `full`.
    pub from: Option<Generation>,
    /// The full snapshot at the beginning; `None` where it is not needed.
    pub full: Option<Snapshot>,
    /// The deltas to apply then, oldest first.
    pub deltas: Vec<Snapshot>,
}

impl Chain {
    /// The way to `target`; from `newest` where that is a generation of one of its ancestors, untouched since.
    pub fn to(site: &Site, target: Snapshot, newest: Option<&Generation>) -> Result<Chain> {
        let mut chain = Chain { from: None, full: None, deltas: Vec::new() };
        let mut at = target;
        while at.manifest.kind == Kind::Delta {
            let m = &at.manifest;
            let of_parent = |g: &&Generation| {
                g.opened_event.is_none() && g.snapshot == m.parent && g.snapshot_sha256 == m.parent_sha256
            };
            chain.from = newest.filter(of_parent).cloned();
            // What came before the generation may be gone from the store: it is not needed.
            let parent = if chain.from.is_some() { None } else { Some(snapshot::parent(&site.store, &at)?) };
            chain.deltas.push(at);
            match parent {
                Some(parent) => at = parent,
                None => {
                    chain.deltas.reverse();
                    return Ok(chain);
                }
            }
        }
        chain.full = Some(at);
        chain.deltas.reverse();
        Ok(chain)
    }

    /// What to say where another site's snapshot does not tell which emergency numbers that site hands out, so that nobody
    /// can tell whether they are those of this one.
    pub fn unknown_numbers(&self, profile: &Profile) -> Option<String> {
        let m = &self.deltas.last().or(self.full.as_ref())?.manifest;
        let blocks = profile.blocks().next().is_some();
        (m.site != profile.site.code && m.numbers.is_empty() && blocks).then(|| {
            format!(
                "the snapshot does not say which emergency numbers site '{site}' hands out (it has no [[numbers]] block, or an earlier version took it): none of them may be in a block of site '{}'. his-snapshot check --beside FILE, with the profile of site '{site}', compares them.",
                profile.site.code,
                site = m.site
            )
        })
    }

    /// Every file of every snapshot on the way is as it was written.
    pub fn verify(&self) -> Result<()> {
        self.full.iter().chain(&self.deltas).try_for_each(Snapshot::verify_files)
    }
}
