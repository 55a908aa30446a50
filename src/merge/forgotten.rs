//! A primary that has forgotten something: restored from a backup, failed over to an old replica, rebuilt from a dump.
//!
//! Nothing is asked but catalogs and counters, so that every run can ask it. Each sign is sure in one direction: a server
//! that shows it is not the one that the snapshot or the ledger is of, or stands earlier than that. A restored primary that
//! has worked on shows the fewer of them the longer it worked, and that its database, a table of it or its log was made
//! anew for good; so there are several.

use super::backfill;
use crate::catalog;
use crate::cli::Site;
use crate::db::Client;
use crate::error::{Cannot, Error, Result};
use crate::formats::snapshot::{Manifest, Marks};
use crate::snapshot;
use crate::store::{FenceState, State, Store};

/// What the store knows, and a primary must know too.
#[derive(Debug, Clone)]
pub struct Known {
    store: Store,
    manifests: Vec<Manifest>,
    merge_run: u64,
    /// The event whose fence was put on and not lifted.
    fenced: Option<String>,
    captured: Vec<String>,
}

/// How the primary shows it, and which snapshot has what it forgot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    pub reason: String,
    pub snapshot: Option<String>,
}

/// What a server says of itself.
#[derive(Debug, Clone)]
struct Server {
    system: String,
    next_xid: u64,
    ledger_run: u64,
    /// `None` without a ledger.
    ledger: bool,
    /// The newest snapshot that was brought back into it.
    backfilled: Option<String>,
    fenced: bool,
}

impl Known {
    /// What the store knows of these snapshots (ids), of the running event's, and of the ledger.
    ///
    /// A snapshot that is no more in the store says nothing; one that cannot be read is warned of.
    pub fn of(site: &Site, state: &State, snapshots: impl IntoIterator<Item = String>) -> Known {
        let running = state.event.as_ref().filter(|e| e.ended_at.is_none()).and_then(|e| e.snapshot.clone());
        let mut ids: Vec<String> = snapshots.into_iter().chain(running).filter(|id| !id.is_empty()).collect();
        ids.sort();
        ids.dedup();
        let mut manifests = Vec::new();
        for id in ids.iter().filter(|id| site.store.snapshots().join(id).is_dir()) {
            match snapshot::open(&site.store, Some(id)) {
                Ok(snapshot) => manifests.push(snapshot.manifest),
                Err(e) => {
                    site.talk
                        .warn(format!("whether the primary is older than the snapshot '{id}' cannot be told: {e}"));
                }
            }
        }
        let captured = site.profile.captured().map(|t| t.name.to_string()).collect();
        let running = state.event.as_ref().filter(|e| e.ended_at.is_none() && state.fence == FenceState::On);
        let fenced = running.map(|e| e.id.clone());
        Known { store: site.store.clone(), manifests, merge_run: state.merge_run, fenced, captured }
    }

    /// Refuses (4) a primary that has forgotten something, and names the step that brings it back.
    pub fn require(&self, client: &mut Client, doing: &str) -> Result<()> {
        match self.ask(client)? {
            None => Ok(()),
            Some(mut forgotten) => {
                forgotten.snapshot = self.newest_lost(client)?.or(forgotten.snapshot);
                Err(forgotten.refusal(doing))
            }
        }
    }

    /// What the primary has forgotten, if anything shows it.
    pub fn ask(&self, client: &mut Client) -> Result<Option<Forgotten>> {
        let server = Server::read(client)?;
        if server.ledger_run < self.merge_run {
            let reason = if server.ledger {
                format!("its merge ledger ends at run {} (expected at least {})", server.ledger_run, self.merge_run)
            } else {
                format!("it has no merge ledger (expected one up to run {})", self.merge_run)
            };
            let snapshot = self.manifests.last().map(|m| m.snapshot.clone());
            // A server that is another one is said to be that first.
            let other = self.manifests.iter().find_map(|m| server.is_another(m));
            return Ok(Some(Forgotten { reason: other.unwrap_or(reason), snapshot }));
        }
        for manifest in &self.manifests {
            if let Some(reason) = self.sign(client, &server, manifest)? {
                return Ok(Some(Forgotten { reason, snapshot: Some(manifest.snapshot.clone()) }));
            }
        }
        let brought_back = self.manifests.iter().all(|m| server.has_back(m)) && server.backfilled.is_some();
        if let Some(event) = &self.fenced
            && !server.fenced
            && !brought_back
            && !knows_fence(client, event)?
        {
            let reason = "the fence that was put on it is not there any more".to_owned();
            return Ok(Some(Forgotten { reason, snapshot: self.manifests.last().map(|m| m.snapshot.clone()) }));
        }
        Ok(None)
    }

    /// The newest snapshot of the store that has what this primary lacks; a cron job may have taken some of it as it is now.
    fn newest_lost(&self, client: &mut Client) -> Result<Option<String>> {
        let server = Server::read(client)?;
        for listed in snapshot::list(&self.store)?.into_iter().rev() {
            if let Ok(snapshot) = listed.found
                && self.sign(client, &server, &snapshot.manifest)?.is_some()
            {
                return Ok(Some(snapshot.id));
            }
        }
        Ok(None)
    }

    /// By what it shows that `server` does not know what the snapshot had.
    fn sign(&self, client: &mut Client, server: &Server, m: &Manifest) -> Result<Option<String>> {
        if server.has_back(m) {
            return Ok(None);
        }
        if let Some(another) = server.is_another(m) {
            return Ok(Some(another));
        }
        if server.next_xid < m.primary.next_xid {
            return Ok(Some(format!(
                "it is older than the snapshot '{}' (next transaction {}, expected at least {})",
                m.snapshot, server.next_xid, m.primary.next_xid
            )));
        }
        if server.ledger_run < m.ledger.run {
            return Ok(Some(format!(
                "its merge ledger ends at run {} (expected at least {}, as in the snapshot '{}')",
                server.ledger_run, m.ledger.run, m.snapshot
            )));
        }
        if let Some(sign) = self.marks(client, m)? {
            return Ok(Some(sign));
        }
        sequences(client, m)
    }

    fn marks(&self, client: &mut Client, m: &Manifest) -> Result<Option<String>> {
        let Some(then) = &m.primary.marks else { return Ok(None) };
        let tables: Vec<&catalog::Name> = m.tables.iter().map(|t| &t.table).collect();
        let now = snapshot::marks(client, &tables)?;
        if now.database_oid != then.database_oid {
            return Ok(Some(format!(
                "its database was dropped and restored since the snapshot '{}' (oid {}, expected {})",
                m.snapshot, now.database_oid, then.database_oid
            )));
        }
        if let Some(sign) = log(client, then, &now)? {
            return Ok(Some(format!("{sign} (snapshot '{}')", m.snapshot)));
        }
        let anew = |(name, oid): &(&String, &u32)| {
            self.captured.contains(name) && **oid != 0 && now.tables.get(*name).is_some_and(|n| *n != 0 && n != *oid)
        };
        Ok(then.tables.iter().find(anew).map(|(name, _)| {
            format!("its table '{name}' was dropped and restored since the snapshot '{}'", m.snapshot)
        }))
    }
}

impl Server {
    fn read(client: &mut Client) -> Result<Server> {
        let doing = "look at the primary";
        let row = client.query_one(crate::sql!("switch/primary_look.sql"), &[]).cannot(doing)?;
        let there: bool = row.get(4);
        let fenced = if row.get(5) {
            client.query_one(crate::sql!("switch/fence_is_on.sql"), &[]).cannot(doing)?.get(0)
        } else {
            false
        };
        Ok(Server {
            system: row.get(0),
            next_xid: row.get::<_, &str>(3).parse().map_err(|e| Error::failed(doing, e))?,
            ledger_run: if there { super::ledger::last_run(client)? } else { 0 },
            ledger: there,
            backfilled: backfill::newest(client)?,
            fenced,
        })
    }

    fn is_another(&self, m: &Manifest) -> Option<String> {
        let expected = &m.primary.system_identifier;
        (*expected != self.system && !self.has_back(m))
            .then(|| format!("it is another server (system identifier {}, expected {expected})", self.system))
    }

    /// What that snapshot had is here again, or held and listed.
    fn has_back(&self, m: &Manifest) -> bool {
        self.backfilled.as_ref().is_some_and(|id| *id >= m.snapshot)
    }
}

/// Whether the fence of this event was put on there, although another site has lifted it since.
fn knows_fence(client: &mut Client, event: &str) -> Result<bool> {
    let doing = "look for the fence on the primary";
    let there: bool = client.query_one(crate::sql!("switch/primary_look.sql"), &[]).cannot(doing)?.get(6);
    Ok(there && client.query_one(crate::sql!("switch/fence_knows.sql"), &[&event]).cannot(doing)?.get(0))
}

impl Forgotten {
    /// The refusal (4), with the next step.
    #[must_use]
    pub fn refusal(&self, doing: &str) -> Error {
        let id = self.snapshot.as_deref().unwrap_or("SNAPSHOT");
        Error::refused(doing, &self.reason).hint(format!(
            "check [primary] url. If this primary was restored, failed over or rebuilt, what it forgot comes back first: his-merge backfill {id} (--dry-run says what). Nothing was changed, and the windows stay where they are until then."
        ))
    }
}

/// What the write-ahead log shows: it only grows, and where it was left for a new timeline, nothing came after.
fn log(client: &mut Client, then: &Marks, now: &Marks) -> Result<Option<String>> {
    let (Some(wal), Some(current)) = (position(&then.wal), position(&now.wal)) else { return Ok(None) };
    if now.timeline < then.timeline {
        return Ok(Some(format!("its log is on timeline {} (expected at least {})", now.timeline, then.timeline)));
    }
    if now.timeline == then.timeline {
        let earlier = current < wal;
        return Ok(earlier.then(|| format!("its log stands at {} (expected at least {})", now.wal, then.wal)));
    }
    let file = format!("pg_wal/{:08X}.history", now.timeline);
    let row = client
        .query_one(crate::sql!("merge/timeline_history.sql"), &[&file])
        .cannot("read the history of the primary's log")?;
    let history: Option<String> = row.get(0);
    let left = history.as_deref().and_then(|text| left_at(text, then.timeline));
    Ok(left.filter(|(at, _)| *at < wal).map(|(_, shown)| {
        format!("its log left timeline {} at {shown}, before {} was written there", then.timeline, then.wal)
    }))
}

/// Where a history file says that `timeline` was left.
fn left_at(history: &str, timeline: u32) -> Option<(u64, &str)> {
    let mut lines = history.lines().map(str::split_whitespace);
    lines.find_map(|mut parts| {
        let of: u32 = parts.next()?.parse().ok()?;
        let at = parts.next()?;
        (of == timeline).then(|| Some((position(at)?, at)))?
    })
}

/// A log position such as `0/16B3748` as a number.
fn position(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    Some(u64::from_str_radix(high, 16).ok()? << 32 | u64::from_str_radix(low, 16).ok()?)
}

/// A sequence that gives the keys of a downloaded table never goes back, but in a restored database.
fn sequences(client: &mut Client, m: &Manifest) -> Result<Option<String>> {
    let keys = m.sequences.iter().filter(|s| s.is_called && gives_keys(m, &s.sequence));
    let keys: Vec<_> = keys.map(|s| (s.sequence.sql(), s)).collect();
    let names: Vec<&String> = keys.iter().map(|(name, _)| name).collect();
    let rows = client
        .query(crate::sql!("merge/sequences_behind.sql"), &[&names])
        .cannot("read where the primary's sequences stand")?;
    for row in rows {
        let (name, now): (&str, Option<i64>) = (row.get(0), row.get(1));
        let Some((_, then)) = keys.iter().find(|(n, _)| n == name) else { continue };
        let behind = now.is_none_or(|n| if then.increment < 0 { n > then.last_value } else { n < then.last_value });
        if behind {
            let stands = now.map_or_else(|| "at its beginning".to_owned(), |n| format!("at {n}"));
            return Ok(Some(format!(
                "its sequence '{}' stands {stands} (expected {} or later, as in the snapshot '{}')",
                then.sequence, then.last_value, m.snapshot
            )));
        }
    }
    Ok(None)
}

/// True when the sequence fills the only column of a unique rule. Others may lawfully begin anew, each day for example.
fn gives_keys(m: &Manifest, sequence: &catalog::Name) -> bool {
    let quoted = sequence.sql();
    m.tables.iter().any(|table| {
        let described = &table.described;
        described.columns.iter().any(|column| {
            let owned = column.sequence.as_deref().and_then(|s| catalog::Name::parse(s).ok());
            let drawn = || {
                let default = column.default.as_deref().unwrap_or_default();
                default.contains(&format!("'{sequence}'")) || default.contains(&format!("'{quoted}'"))
            };
            (owned.as_ref() == Some(sequence) || drawn())
                && described.uniques.iter().any(|u| u.plain && u.columns == [column.name.clone()])
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_tells_where_a_timeline_was_left() {
        let history = "1\t0/3000110\tno recovery target specified\n\n2\t1/A0\tbefore 2026-11-23 09:45:00+08\n";
        assert_eq!(left_at(history, 1), Some((0x300_0110, "0/3000110")));
        assert_eq!(left_at(history, 2), Some(((1 << 32) + 0xA0, "1/A0")));
        assert_eq!(left_at(history, 3), None);
        assert_eq!(position("nothing"), None);
    }
}
