//! What a delta stands on, and why there may be none.
//!
//! A delta is made of what the server knows by itself: each row version bears the id of the transaction that wrote it, so
//! the rows that are new since the parent are those of transactions that were not yet ended then. The oldest of these
//! is the horizon; everything below it had ended, subtransactions too, which a list of running transactions does not
//! name. Rows that the parent had already seen written after the horizon are sent once more, which harms nothing.
//!
//! None of this holds across a promotion, a restore or a rewrite of the database, where transaction ids may be given
//! again or rows come back: then the snapshot is a full one, and says why. Nor does it hold across a start of the server,
//! whose files may have been put back from a copy, or across a crash, in which a transaction that did not wait for the disk
//! is lost after it was seen, and its id given to another. And what one server has seen end, its replica may not have.

use super::keys::Keys;
use super::leader::Leader;
use super::list::Snapshot;
use crate::catalog::Name;
use crate::error::Cannot;
use crate::formats::snapshot::{Census, Chain, Kind, Manifest, Marks, Table};
use crate::profile::Profile;
use crate::seal::Seal;
use chrono::TimeDelta;
use std::path::Path;

/// Transactions between parent and delta, at most: half of what can be told apart is 2^31, and vacuum begins to warn before.
const FARTHEST: u64 = 1 << 30;
/// Deltas on one full snapshot, at most: each has to be there when a standby is built anew.
const LONGEST: u64 = 500;

/// The snapshot that a delta is made against.
pub struct Parent {
    pub snapshot: Snapshot,
    pub sums_sha256: String,
    /// The first transaction id that may not have ended when the parent was taken.
    pub horizon: u64,
    /// Where the delta stands.
    pub chain: Chain,
}

impl Parent {
    /// The newest snapshot, if a delta can stand on it; else why not.
    pub fn of(
        leader: &Leader,
        profile: &Profile,
        snapshots: &Path,
        newest: &str,
        seal: &Seal,
    ) -> Result<Parent, String> {
        let snapshot = Snapshot::at(&snapshots.join(newest), seal).map_err(|e| e.to_string())?;
        let old = &snapshot.manifest;
        let chain = match &old.chain {
            Some(chain) => Chain { full: chain.full.clone(), place: chain.place + 1 },
            None => Chain { full: old.snapshot.clone(), place: 1 },
        };
        if old.kind == Kind::Full && old.schema_sha256.is_none() {
            return Err("the last one is of an earlier version".to_owned());
        }
        if chain.place > LONGEST {
            return Err(format!("there are {LONGEST} deltas on the last full one"));
        }
        let age = super::time_of(&chain.full).map_or(TimeDelta::MAX, |at| leader.made_at - at);
        if age >= TimeDelta::from_std(profile.store.full_every).unwrap_or(TimeDelta::MAX) {
            return Err(format!("the last full one is {} h old", age.num_hours()));
        }
        same_profile(profile, leader, old)?;
        same_server(leader, old)?;
        let horizon = horizon(&old.primary.sees).ok_or("the last one does not say which transactions it saw")?;
        let passed = leader.primary.next_xid.saturating_sub(horizon);
        if passed > FARTHEST {
            return Err(format!("{passed} transactions have ended since the last one"));
        }
        same_run(leader, old)?;
        let sums_sha256 = snapshot.sums_sha256().map_err(|e| e.to_string())?;
        Ok(Parent { snapshot, sums_sha256, horizon, chain })
    }

    /// The horizon as the server writes transaction ids: without what counts their rounds.
    #[must_use]
    pub fn since(&self) -> String {
        (self.horizon & u64::from(u32::MAX)).to_string()
    }

    #[must_use]
    pub fn table(&self, name: &Name) -> Option<&Table> {
        self.snapshot.manifest.tables.iter().find(|t| t.table == *name)
    }

    /// The keys that a table had; `None` where they cannot be read here.
    #[must_use]
    pub fn keys(&self, census: &Census, rows: u64) -> Option<Keys> {
        let source = self.snapshot.file(&census.part.file);
        match source.and_then(|source| Keys::read(source, census.mask.is_some()).cannot("read the keys of the parent"))
        {
            Ok(keys) if keys.count() == rows => Some(keys),
            Ok(_) => None,
            Err(e) => {
                log::info!("{}: {e}", census.part.file);
                None
            }
        }
    }
}

fn same_profile(profile: &Profile, leader: &Leader, old: &Manifest) -> Result<(), String> {
    if old.profile_sha256 != profile.sha256 {
        return Err("the profile has changed".to_owned());
    }
    let columns = |name: &Name| old.tables.iter().find(|t| t.table == *name).map(|t| &t.columns);
    match leader.planned.iter().find(|p| columns(&p.described.name) != Some(&p.columns)) {
        Some(table) => Err(format!("'{}' has other columns", table.described.name)),
        None => Ok(()),
    }
}

/// The same server and database, further on, and set up as before.
fn same_server(leader: &Leader, old: &Manifest) -> Result<(), String> {
    let (then, now) = (&old.primary, &leader.primary);
    let (Some(before), Some(after)) = (&then.marks, &now.marks) else {
        return Err("it cannot be told whether the primary was restored".to_owned());
    };
    if then.system_identifier != now.system_identifier || before.database_oid != after.database_oid {
        return Err("the primary is another database".to_owned());
    }
    if before.timeline != after.timeline {
        return Err("the primary was promoted or recovered".to_owned());
    }
    if now.next_xid < then.next_xid || !further(before, after) {
        return Err("the primary is not as far as it was".to_owned());
    }
    if let Some((name, _)) = after.tables.iter().find(|(name, oid)| before.tables.get(*name) != Some(oid)) {
        return Err(format!("'{name}' is another table"));
    }
    same_shapes(before, after)?;
    if then.server_version / 10_000 != now.server_version / 10_000 {
        return Err("the primary is of another version".to_owned());
    }
    if then.timezone != now.timezone || then.search_path != now.search_path || old.settings != leader.settings {
        return Err("the settings of the database have changed".to_owned());
    }
    if old.roles != leader.roles {
        return Err("roles have changed".to_owned());
    }
    Ok(())
}

/// A column that was dropped and added again, or a partition that took the place of another, writes no row.
fn same_shapes(before: &Marks, after: &Marks) -> Result<(), String> {
    for name in after.tables.keys() {
        match (before.shapes.get(name), after.shapes.get(name)) {
            (_, None) => return Err(format!("it cannot be told what changes in '{name}', which is no ordinary table")),
            (None, _) => return Err(format!("the last one does not say which columns and partitions '{name}' had")),
            (before, after) if before != after => {
                return Err(format!("'{name}' has other partitions or columns of the same names"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The same server, without a start or a crash between.
fn same_run(leader: &Leader, old: &Manifest) -> Result<(), String> {
    let started = |marks: &Option<Marks>| marks.as_ref().and_then(|marks| marks.started.clone());
    let (before, after) = (started(&old.primary.marks), started(&leader.primary.marks));
    if before.is_none() || before != after {
        return Err("the primary's server was started anew, has crashed, or is another".to_owned());
    }
    Ok(())
}

/// Whether the log has not gone back.
fn further(before: &Marks, after: &Marks) -> bool {
    let place = |wal: &str| {
        let (high, low) = wal.split_once('/')?;
        Some((u64::from_str_radix(high, 16).ok()?, u64::from_str_radix(low, 16).ok()?))
    };
    matches!((place(&before.wal), place(&after.wal)), (Some(before), Some(after)) if before <= after)
}

/// The first number of `xmin:xmax:list`.
fn horizon(sees: &str) -> Option<u64> {
    sees.split(':').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_horizon_is_the_oldest_transaction_that_had_not_ended() {
        assert_eq!(horizon("748:752:748,750"), Some(748));
        assert_eq!(horizon(""), None);
    }

    #[test]
    fn a_log_that_went_back_is_seen_as_a_number_and_not_as_a_text() {
        let at = |wal: &str| Marks {
            database_oid: 1,
            timeline: 1,
            wal: wal.to_owned(),
            tables: std::collections::BTreeMap::new(),
            started: None,
            shapes: std::collections::BTreeMap::new(),
        };
        assert!(further(&at("9/FF000000"), &at("A/0")) && further(&at("0/9"), &at("0/10")));
        assert!(
            !further(&at("A/0"), &at("9/FF000000"))
                && !further(&at("0/10"), &at("0/9"))
                && !further(&at(""), &at("0/9"))
        );
    }
}
