//! Brings a snapshot of another store, or of a medium, into this one: how one download feeds the standbys of several campuses.

use super::list::{self, Snapshot};
use crate::cli::Site;
use crate::error::{Cannot, Error, Result};
use crate::formats::snapshot::Kind;
use crate::seal::Seal;
use crate::store::{Kind as Lock, durable};
use serde_json::json;
use std::path::{Path, PathBuf};

/// A snapshot of elsewhere that is in the store now, with all that it stands on.
#[derive(Debug)]
pub struct Fetched {
    pub snapshot: Snapshot,
    /// Ids that were brought by this run, or would be, oldest first; none when all was there.
    pub brought: Vec<String>,
}

/// Copies the snapshot `id` of the directory `from` (default: its newest) into the store, and before it what it stands on as
/// far as the store lacks that. Each is compared with its checksums and signature there and here, and gets its name last.
pub fn fetch(site: &Site, from: &Path, id: Option<&str>, dry_run: bool) -> Result<Fetched> {
    let doing = format!("fetch a snapshot from '{}'", from.display());
    let from = std::path::absolute(from).cannot(doing.clone())?;
    let id = match id {
        Some(id) => id.to_owned(),
        None => newest(&from, &doing)?,
    };
    let seal = site.store.seal();
    let target = at(&from, &id, &doing, seal)?;
    let doing = format!("fetch the snapshot '{}'", target.path.display());
    target.require_ours(&doing, &site.profile)?;
    let lock = if dry_run { None } else { Some(site.store.lock(Lock::Snapshot, &site.by)?) };
    let missing = missing(site, &from, target, &doing)?;
    let mut brought = Vec::new();
    if lock.is_some() {
        let snapshots = site.store.snapshots();
        durable::sweep(&snapshots).cannot(format!("clear what an ended run left in '{}'", snapshots.display()))?;
    }
    for snapshot in missing.iter().rev() {
        if lock.is_some() {
            bring(site, snapshot)?;
        }
        brought.push(snapshot.id.clone());
    }
    let snapshot = if dry_run && !brought.is_empty() {
        at(&from, &id, &doing, seal)?
    } else {
        let there = list::open(&site.store, Some(&id))?;
        // Of the same name and another content: never taken for the one that was asked for.
        super::copy::require_same(&there, &from.join(&id), seal)?;
        there
    };
    if !brought.is_empty() && lock.is_some() {
        let detail = json!({ "snapshot": id, "from": from, "site": snapshot.manifest.site, "brought": brought });
        site.store.journal().write(&site.by, "snapshot fetch", None, "done", detail)?;
    }
    Ok(Fetched { snapshot, brought })
}

/// What of `target` and its ancestors the store has not, newest first.
fn missing(site: &Site, from: &Path, target: Snapshot, doing: &str) -> Result<Vec<Snapshot>> {
    let mut missing = Vec::new();
    let mut at_hand = target;
    while !site.store.snapshots().join(&at_hand.id).exists() {
        let m = &at_hand.manifest;
        let parent = match (m.kind, &m.parent) {
            (Kind::Delta, Some(parent)) => Some(parent.clone()),
            _ => None,
        };
        missing.push(at_hand);
        let Some(parent) = parent.filter(|id| !site.store.snapshots().join(id).exists()) else { break };
        at_hand = at(from, &parent, doing, site.store.seal())?;
    }
    Ok(missing)
}

/// One snapshot, whole or not at all.
fn bring(site: &Site, snapshot: &Snapshot) -> Result<()> {
    let path = site.store.snapshots().join(&snapshot.id);
    let doing = || format!("fetch the snapshot '{}'", snapshot.path.display());
    snapshot.verify_files()?;
    site.talk.say(format!("fetching {} to {}", snapshot.id, path.display()));
    let unfinished = durable::sibling(&path);
    let copied = durable::copy_unfinished(&snapshot.path, &unfinished)
        .cannot(doing())
        .and_then(|()| super::copy::require_same(snapshot, &unfinished, site.store.seal()))
        .and_then(|()| durable::publish_dir(&unfinished, &path).cannot(doing()));
    if copied.is_err() {
        let _ = durable::remove_dir(&unfinished);
    }
    copied
}

fn newest(from: &Path, doing: &str) -> Result<String> {
    let paths: Vec<PathBuf> = durable::list(from).cannot(doing)?;
    let names = paths.iter().filter_map(|path| path.file_name()?.to_str());
    names.filter(|id| list::time_of(id).is_some()).max().map(str::to_owned).ok_or_else(|| {
        Error::refused(doing, "there is no snapshot in it").hint(
            "name the directory that has the snapshots: 'snapshots' of the other site's store, or what his-snapshot copy --to wrote to.",
        )
    })
}

fn at(from: &Path, id: &str, doing: &str, seal: &Seal) -> Result<Snapshot> {
    let path = from.join(id);
    if list::time_of(id).is_none() || !path.is_dir() {
        return Err(Error::refused(doing, format!("the snapshot '{id}' is not there"))
            .hint("bring the whole directory of snapshots along, deltas with what they stand on; or take a full one there: his-snapshot --full."));
    }
    Snapshot::at(&path, seal)
}
