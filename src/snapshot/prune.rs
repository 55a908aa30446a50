//! Removes snapshots that the profile's `keep` does not want any more, and none that something still refers to.

use super::PROGRAM;
use super::list::{self, Listed};
use crate::cli::Site;
use crate::clock;
use crate::error::{Cannot, Result};
use crate::profile::Store as Keep;
use crate::standby::Generation;
use crate::store::{Kind, durable};
use chrono::{DateTime, Datelike, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::path::Path;

/// What a pruning did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pruned {
    pub kept: Vec<Kept>,
    pub removed: Vec<Removed>,
    /// What the removed ones took on the disk.
    pub bytes: u64,
    pub dry_run: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    pub snapshot: String,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removed {
    pub snapshot: String,
    /// On the disk.
    pub bytes: u64,
}

/// Removes what `keep` does not want; with `dry_run` it only says so.
///
/// The standby must answer: only its generations know which snapshots they are of.
pub fn prune(site: &Site, dry_run: bool) -> Result<Pruned> {
    let _lock = site.store.lock(Kind::Snapshot, &site.by)?;
    let snapshots = site.store.snapshots();
    let listed = list::list(&site.store)?;
    let reasons = reasons(site, &listed)?;
    let mut pruned = Pruned { kept: Vec::new(), removed: Vec::new(), bytes: 0, dry_run };
    for Listed { id, path, found } in listed {
        // Our own mark of use would be in the way of the lock below.
        drop(found);
        if let Some(reason) = reasons.get(&id) {
            pruned.kept.push(Kept { snapshot: id, reason: reason.clone() });
            continue;
        }
        let Some(_unused) = unused(&path) else {
            pruned.kept.push(Kept { snapshot: id, reason: "in use by another program".to_owned() });
            continue;
        };
        let bytes = size(&path).cannot(format!("measure '{}'", path.display()))?;
        if !dry_run {
            // It loses its name first, so that a killed run leaves nothing that looks like a snapshot.
            let nameless = durable::sibling(&path);
            std::fs::rename(&path, &nameless)
                .and_then(|()| durable::sync_parent(&path))
                .and_then(|()| durable::remove_dir(&nameless))
                .cannot(format!("remove the snapshot '{}'", path.display()))?;
        }
        pruned.bytes += bytes;
        pruned.removed.push(Removed { snapshot: id, bytes });
    }
    if !dry_run {
        durable::sweep(&snapshots).cannot(format!("clear what an ended run left in '{}'", snapshots.display()))?;
        if !pruned.removed.is_empty() {
            let removed: Vec<&str> = pruned.removed.iter().map(|r| r.snapshot.as_str()).collect();
            site.store.journal().write(
                &site.by,
                "snapshot prune",
                None,
                "done",
                json!({ "removed": removed, "bytes": pruned.bytes }),
            )?;
        }
    }
    Ok(pruned)
}

/// Why each snapshot that stays does so.
fn reasons(site: &Site, listed: &[Listed]) -> Result<BTreeMap<String, String>> {
    let mut reasons = BTreeMap::new();
    let standby = site.profile.standby()?.named(PROGRAM);
    let generations = Generation::all(&standby).map_err(|e| {
        e.hint("which snapshots the standby's generations are of is only known there; prune when it answers.")
    })?;
    for generation in generations {
        if let Some(id) = generation.snapshot {
            reasons.insert(id, format!("generation {} is of it", generation.number));
        }
    }
    // Also of an event that ended: its batches are chained to the snapshot until it is signed off.
    if let Some(event) = site.store.state()?.event
        && let Some(id) = event.snapshot
    {
        reasons.insert(id, format!("event {} is of it", event.id));
    }
    let whole: Vec<(String, DateTime<Utc>)> =
        listed.iter().filter_map(|l| l.found.as_ref().ok().map(|s| (l.id.clone(), s.manifest.taken_at))).collect();
    for (id, reason) in wanted(&whole, &site.profile.store, clock::zone(&site.profile.site)) {
        reasons.entry(id).or_insert(reason);
    }
    for l in listed {
        if l.found.is_err() {
            // What is damaged is for a person to look at, and never stands in for one that is whole.
            reasons.insert(l.id.clone(), "damaged; look at it, then remove the directory by hand".to_owned());
        }
    }
    // A delta is nothing without what it stands on.
    loop {
        let parents: Vec<(String, String)> = listed
            .iter()
            .filter(|l| reasons.contains_key(&l.id))
            .filter_map(|l| Some((l.found.as_ref().ok()?.manifest.parent.clone()?, l.id.clone())))
            .filter(|(parent, _)| !reasons.contains_key(parent))
            .collect();
        if parents.is_empty() {
            return Ok(reasons);
        }
        reasons.extend(parents.into_iter().map(|(parent, child)| (parent, format!("{child} stands on it"))));
    }
}

/// Of snapshots in order of time: the newest so many, then the last of each day, then the last of each week. Days end
/// at midnight in `zone`.
fn wanted(snapshots: &[(String, DateTime<Utc>)], keep: &Keep, zone: Tz) -> Vec<(String, String)> {
    let (mut days, mut weeks) = (BTreeSet::new(), BTreeSet::new());
    let count = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let (daily, weekly) = (count(keep.keep_daily), count(keep.keep_weekly));
    let mut kept = Vec::new();
    for (place, (id, at)) in snapshots.iter().rev().enumerate() {
        let local = at.with_timezone(&zone);
        let (day, week) = (local.date_naive(), local.iso_week());
        let last_of_day = days.len() < daily && days.insert(day);
        let last_of_week = weeks.len() < weekly && weeks.insert((week.year(), week.week()));
        let reason = match place {
            0 => Some("the newest".to_owned()),
            n if n < count(keep.keep_recent) => Some("recent".to_owned()),
            _ if last_of_day => Some(format!("the last of {day}")),
            _ if last_of_week => Some(format!("the last of week {}-{:02}", week.year(), week.week())),
            _ => None,
        };
        kept.extend(reason.map(|reason| (id.clone(), reason)));
    }
    kept
}

/// A directory's lock, where the file system knows such locks; it keeps new users out while it is removed.
struct Unused {
    _lock: Option<File>,
}

/// `None` when somebody reads the snapshot.
fn unused(path: &Path) -> Option<Unused> {
    let file = File::open(path).ok();
    match file.as_ref().map(File::try_lock) {
        Some(Err(TryLockError::WouldBlock)) => None,
        _ => Some(Unused { _lock: file }),
    }
}

/// Bytes of all files below `dir`.
pub(super) fn size(dir: &Path) -> std::io::Result<u64> {
    let files = crate::formats::sums::files_below(dir)?;
    files.iter().map(|name| std::fs::metadata(dir.join(name)).map(|m| m.len())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn keep(recent: u32, daily: u32, weekly: u32) -> Keep {
        let (keep_recent, keep_daily, keep_weekly) = (recent, daily, weekly);
        Keep {
            dir: PathBuf::new(),
            mirror: None,
            keep_recent,
            keep_daily,
            keep_weekly,
            compress: true,
            full_every: std::time::Duration::ZERO,
            snapshots_of: Vec::new(),
            wipe_after: None,
        }
    }

    /// Noon and evening of each of these days of November 2026.
    fn taken(days: &[u32]) -> Vec<(String, DateTime<Utc>)> {
        let times = days.iter().flat_map(|day| [(*day, 4), (*day, 10)]);
        times
            .map(|(day, hour)| {
                let id = format!("202611{day:02}T{hour:02}0000000Z");
                let at = list::time_of(&id).unwrap();
                (id, at)
            })
            .collect()
    }

    fn kept(days: &[u32], keep: &Keep) -> Vec<String> {
        wanted(&taken(days), keep, chrono_tz::Asia::Shanghai)
            .into_iter()
            .map(|(id, _)| format!("{}/{}", &id[6..8], &id[9..11]))
            .collect()
    }

    #[test]
    fn the_newest_stays_whatever_keep_says() {
        assert_eq!(kept(&[3, 4], &keep(1, 0, 0)), ["04/10"]);
    }

    #[test]
    fn recent_ones_then_the_last_of_a_day_then_the_last_of_a_week() {
        let days = [2, 9, 10, 16, 17, 18];
        assert_eq!(kept(&days, &keep(3, 0, 0)), ["18/10", "18/04", "17/10"]);
        assert_eq!(kept(&days, &keep(1, 3, 0)), ["18/10", "17/10", "16/10"]);
        assert_eq!(kept(&days, &keep(1, 0, 3)), ["18/10", "10/10", "02/10"]);
        assert_eq!(kept(&days, &keep(2, 2, 2)), ["18/10", "18/04", "17/10", "10/10"]);
    }

    #[test]
    fn days_end_at_midnight_where_the_site_is() {
        // Half past eleven at night and half past midnight in Shanghai; one day in UTC.
        let ids = ["20261122T153000000Z", "20261122T163000000Z"];
        let taken: Vec<_> = ids.iter().map(|id| ((*id).to_owned(), list::time_of(id).unwrap())).collect();
        let kept = |zone| wanted(&taken, &keep(1, 2, 0), zone).into_iter().map(|(_, why)| why).collect::<Vec<_>>();
        assert_eq!(kept(chrono_tz::Asia::Shanghai), ["the newest", "the last of 2026-11-22"]);
        assert_eq!(kept(Tz::UTC), ["the newest"]);
    }
}
