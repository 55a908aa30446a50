//! Takes a snapshot: everything goes into an unfinished directory, which gets its name last.

use super::delta::Parent;
use super::leader::Leader;
use super::tables::{Download, Stored};
use super::watch::Watch;
use super::{PROGRAM, list, schema};
use crate::cli::{Site, Talk};
use crate::clock;
use crate::db::{Server, Side};
use crate::error::{Cannot, Error, Exit, Result};
use crate::formats::snapshot::{self as formats, FORMAT, LedgerTable, MANIFEST, Manifest, SCHEMA_FILE};
use crate::formats::sums;
use crate::profile::Profile;
use crate::seal::Seal;
use crate::store::{Kind, State, durable};
use chrono::{DateTime, Utc};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A primary that says nothing for so long while it is downloaded is lost.
const SILENCE: Duration = Duration::from_secs(30);
/// More than this between the clocks of the two machines makes "data as of" a lie.
const CLOCKS_APART: i64 = 60;

/// Where a primary says that its log goes on may lie so many bytes behind its last record, the header of a page; the least
/// change of a row takes more.
const PAGE_HEADER: u64 = 64;

/// A snapshot that is in the store now.
#[derive(Debug, Clone)]
pub struct Taken {
    pub path: PathBuf,
    pub manifest: Manifest,
}

/// Downloads the profile's tables as of one instant: what changed since the newest snapshot, where that can be told, or
/// everything, which `full` asks for.
pub fn take(site: &Site, full: bool) -> Result<Taken> {
    let _lock = site.store.lock(Kind::Snapshot, &site.by)?;
    let snapshots = site.store.snapshots();
    durable::sweep(&snapshots).cannot(format!("clear what an ended run left in '{}'", snapshots.display()))?;
    let wanted = site.store.state()?.full_wanted;
    if wanted && !full {
        site.talk.say("a full snapshot, because the last delta did not prove itself");
    }
    let outcome = download(site, &snapshots, full || wanted);
    if outcome.is_ok() && wanted {
        State::update(&site.store, |s| s.full_wanted = false)?;
    }
    match &outcome {
        Ok(taken) => {
            let m = &taken.manifest;
            site.store.journal().write(
                &site.by,
                "snapshot",
                None,
                "done",
                json!({ "snapshot": m.snapshot, "kind": m.kind, "rows": m.rows, "bytes": m.bytes, "seconds": m.seconds }),
            )?;
        }
        Err(e) => {
            // What hindered it is worth knowing later; on a full disk not even that can be written.
            if matches!(e.exit(), Exit::Refused | Exit::Unreachable)
                && let Err(e) = site.store.journal().write(&site.by, "snapshot", None, &e.to_string(), json!(null))
            {
                log::warn!("{e}");
            }
        }
    }
    outcome
}

fn download(site: &Site, snapshots: &Path, full: bool) -> Result<Taken> {
    let started = Instant::now();
    // All sessions, and pg_dump's, are of one server.
    let server = site.profile.download()?.named(PROGRAM).pinned()?;
    let watch = Watch::begin(&server)?;
    let work = Work {
        profile: site.profile.clone(),
        seal: site.store.seal().clone(),
        server,
        watched: watch.watched(),
        snapshots: snapshots.to_path_buf(),
        newest: list::ids(&site.store)?.pop(),
        full,
        by: site.by.clone(),
        talk: site.talk.clone(),
        started,
    };
    let taken = supervise(&watch, &site.profile, move || {
        let outcome = work.run();
        if outcome.is_err() {
            work.watched.abandon();
        }
        outcome
    });
    if taken.is_err() {
        // Nothing else writes there: the lock is ours.
        if let Err(e) = durable::sweep(snapshots) {
            log::warn!("an unfinished snapshot is left in '{}' until the next run: {e}", snapshots.display());
        }
    }
    taken
}

/// Runs the download in a thread of its own, because a call into a frozen server never returns.
pub(super) fn supervise<T: Send + 'static>(
    watch: &Watch,
    profile: &Profile,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (send, receive) = channel();
    std::thread::spawn(move || send.send(work()));
    let doing = format!("take a snapshot of '{}'", profile.site.name);
    loop {
        match receive.recv_timeout(Duration::from_millis(200)) {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(e)) => {
                return Err(match watch.waited() {
                    Some(who) => Error::refused(doing, who)
                        .hint("DDL goes first, so nothing was taken; run his-snapshot again when that change is done."),
                    None if e.exit() != Exit::Refused && watch.was_ended_by_the_log(&e) => ended_by_the_log(doing),
                    None => e,
                });
            }
            Err(RecvTimeoutError::Disconnected) => return Err(Error::failed(doing, "a part of it died")),
            Err(RecvTimeoutError::Timeout) if watch.silence() > SILENCE => {
                let reason = format!("the {} has said nothing for {} s", Side::Primary, SILENCE.as_secs());
                return Err(Error::unreachable(doing, reason));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// A reader only meets this on a replica, where the primary's DDL or VACUUM goes first.
pub(super) fn ended_by_the_log(doing: impl Into<String>) -> Error {
    Error::refused(doing, "the replica ended it, because what the primary did conflicts with reading")
        .hint("nothing was taken; run his-snapshot again. On the replica, hot_standby_feedback = on prevents most of it, and max_standby_streaming_delay gives it longer.")
}

/// A log position such as `0/16B3748` as a number.
fn log_position(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    Some(u64::from_str_radix(high, 16).ok()? << 32 | u64::from_str_radix(low, 16).ok()?)
}

/// What was downloaded, and what it stands on.
struct Stand {
    stored: Vec<Stored>,
    schema_sha256: String,
    parent: Option<Parent>,
}

/// All that the downloading thread needs.
struct Work {
    profile: Profile,
    seal: Seal,
    server: Server,
    watched: super::watch::Watched,
    snapshots: PathBuf,
    newest: Option<String>,
    /// No delta is wanted.
    full: bool,
    by: String,
    talk: Talk,
    started: Instant,
}

impl Work {
    fn run(&self) -> Result<Taken> {
        let mut leader = Leader::begin(&self.profile, &self.server, &self.watched)?;
        schema::require_version(leader.primary.server_version)?;
        let id = list::id_of(leader.made_at);
        self.require_later(&id)?;
        self.require_further(&leader)?;
        let apart = leader.clock_apart_seconds;
        if apart.abs() > CLOCKS_APART {
            self.talk.warn(format!(
                "the clocks of this machine and of the primary are {apart} s apart; \"data as of\" is by this machine's."
            ));
        }
        let path = self.snapshots.join(&id);
        let unfinished = durable::sibling(&path);
        let parent = self.parent(&leader);
        self.talk.say(format!(
            "downloading {} tables of the {}, data as of {}{}",
            leader.planned.len(),
            self.server.shown(),
            clock::full(clock::zone(&self.profile.site), leader.taken_at),
            parent.as_ref().map_or_else(String::new, |p| format!(", what changed since {}", p.snapshot.id))
        ));
        let Stand { stored, schema_sha256, parent } = self.stand(&leader, parent, &unfinished)?;
        let ledger = leader.ledger_tables(&unfinished, &self.seal, self.profile.store.compress)?;
        let sequences = leader.sequences()?;
        let mut files: BTreeMap<String, String> = stored.iter().flat_map(|s| s.files.clone()).collect();
        files.extend(ledger.iter().map(|(table, sha256)| (table.file.clone(), sha256.clone())));
        let hash = |name: &str| {
            sums::of_file(&unfinished.join(name)).cannot(format!("read '{}'", unfinished.join(name).display()))
        };
        files.insert(SCHEMA_FILE.to_owned(), hash(SCHEMA_FILE)?);
        let ledger = ledger.into_iter().map(|(table, _)| table).collect();
        let mut manifest = self.manifest(&leader, &id, stored, sequences, ledger);
        manifest.schema_sha256 = Some(schema_sha256);
        if let Some(parent) = parent {
            manifest.kind = formats::Kind::Delta;
            (manifest.parent, manifest.parent_sha256) = (Some(parent.snapshot.id), Some(parent.sums_sha256));
            manifest.chain = Some(parent.chain);
        }
        leader.finish()?;
        let mut text = serde_json::to_string_pretty(&manifest).cannot("write the manifest")?;
        text.push('\n');
        let write = |name: &str, text: &str| {
            let path = unfinished.join(name);
            durable::create_new(&path, text.as_bytes()).cannot(format!("write '{}'", path.display()))
        };
        write(MANIFEST, &text)?;
        files.insert(MANIFEST.to_owned(), hash(MANIFEST)?);
        write(sums::FILE, &sums::text(&files))?;
        self.seal.sign(&unfinished, &format!("snapshot {id} of site {}", self.profile.site.code))?;
        durable::publish_dir(&unfinished, &path).cannot(format!("publish the snapshot '{}'", path.display()))?;
        Ok(Taken { path, manifest })
    }

    /// The newest snapshot is the one with the last name, so a clock that went back must not make an old one of this.
    fn require_later(&self, id: &str) -> Result<()> {
        match &self.newest {
            Some(newest) if newest.as_str() >= id => Err(Error::refused(
                format!("take a snapshot '{id}'"),
                format!("the store has '{newest}', which would count as newer: this machine's clock went back"),
            )
            .hint(
                "set this machine's clock; if it was '{newest}' that had a wrong time, remove that directory by hand."
                    .replace("{newest}", newest),
            )),
            _ => Ok(()),
        }
    }

    /// A replica that lags, or another one than last time, must not quietly put older data in the place of newer.
    fn require_further(&self, leader: &Leader) -> Result<()> {
        let (Some(replayed), Some(newest)) = (&leader.replayed, &self.newest) else { return Ok(()) };
        // One that cannot be read is no measure; whoever uses it says what is wrong with it.
        let Ok(before) = list::Snapshot::at(&self.snapshots.join(newest), &self.seal) else { return Ok(()) };
        let then = &before.manifest.primary;
        if then.system_identifier != leader.primary.system_identifier {
            return Ok(());
        }
        let (Some(had), Some(has)) = (then.marks.as_ref().and_then(|m| log_position(&m.wal)), log_position(replayed))
        else {
            return Ok(());
        };
        if had.saturating_sub(has) <= PAGE_HEADER {
            return Ok(());
        }
        Err(Error::refused(
            format!("take a snapshot of the {}", self.server.shown()),
            format!(
                "this replica has not come as far as the snapshot '{newest}' (it has replayed the log to {replayed}, {} bytes less): the new one would be older",
                had - has
            ),
        )
        .hint("nothing was taken; run his-snapshot again when the replica has caught up (his-watch shows its lag), or download from the primary: take read_url out."))
    }

    /// What a delta can stand on; why there is none is said.
    fn parent(&self, leader: &Leader) -> Option<Parent> {
        let newest = self.newest.as_deref().filter(|_| !self.full && self.census())?;
        match Parent::of(leader, &self.profile, &self.snapshots, newest, &self.seal) {
            Ok(parent) => Some(parent),
            Err(why) => {
                self.talk.say(format!("a full snapshot, because {why}"));
                None
            }
        }
    }

    /// Whether a delta may stand on it.
    fn census(&self) -> bool {
        !self.profile.store.full_every.is_zero()
    }

    /// The rows and the schema in the unfinished directory: of a delta, unless the schema has changed since its parent.
    fn stand(&self, leader: &Leader, parent: Option<Parent>, unfinished: &Path) -> Result<Stand> {
        let make = |folder: &str| {
            let dir = unfinished.join(folder);
            durable::make_dir(&dir).cannot(format!("make '{}'", dir.display()))
        };
        make("data")?;
        if self.census() {
            make("census")?;
        }
        if let Some(parent) = parent {
            make("gone")?;
            make("proof")?;
            let (stored, schema_sha256) = self.rows_and_schema(leader, Some(&parent), unfinished)?;
            if parent.snapshot.manifest.schema_sha256.as_deref() == Some(&*schema_sha256) {
                return Ok(Stand { stored, schema_sha256, parent: Some(parent) });
            }
            self.talk.say("a full snapshot, because the schema has changed");
            durable::remove_dir(unfinished).cannot(format!("clear '{}'", unfinished.display()))?;
            make("data")?;
            make("census")?;
        }
        let (stored, schema_sha256) = self.rows_and_schema(leader, None, unfinished)?;
        Ok(Stand { stored, schema_sha256, parent: None })
    }

    fn rows_and_schema(
        &self,
        leader: &Leader,
        parent: Option<&Parent>,
        unfinished: &Path,
    ) -> Result<(Vec<Stored>, String)> {
        let total = leader.planned.iter().map(|p| u64::try_from(p.estimated_rows).unwrap_or(0).max(1)).sum();
        let bar = self.talk.bar(total, "rows");
        let download = Download {
            server: &self.server,
            watched: &self.watched,
            exported: &leader.exported,
            planned: &leader.planned,
            own: &leader.own,
            parent,
            census: self.census(),
            dir: unfinished.to_path_buf(),
            seal: &self.seal,
            compress: self.profile.store.compress,
            bar: &bar,
        };
        let file = &unfinished.join(SCHEMA_FILE);
        let exported = &leader.exported;
        let both = std::thread::scope(|scope| {
            let schema = scope.spawn(move || {
                let dumped = schema::dump(&self.server, self.watched.dump_name(), exported, file)
                    .and_then(|()| schema::sha256(file));
                if dumped.is_err() {
                    self.watched.abandon();
                }
                dumped
            });
            let rows = download.run();
            let schema = schema.join().unwrap_or_else(|_| Err(Error::failed("dump the schema", "its thread died")));
            (rows, schema)
        });
        bar.finish_and_clear();
        match both {
            // Whichever failed first ended the other; only the other then speaks of a lost session.
            (Err(rows), Err(schema)) if rows.exit() == Exit::Unreachable && schema.exit() != Exit::Unreachable => {
                Err(schema)
            }
            (rows, schema) => {
                let rows = rows?;
                Ok((rows, schema?))
            }
        }
    }

    fn manifest(
        &self,
        leader: &Leader,
        id: &str,
        stored: Vec<Stored>,
        sequences: Vec<crate::formats::snapshot::Sequence>,
        ledger_tables: Vec<LedgerTable>,
    ) -> Manifest {
        let finished_at: DateTime<Utc> = Utc::now();
        let tables: Vec<_> = stored.into_iter().map(|s| s.table).collect();
        Manifest {
            format: FORMAT,
            snapshot: id.to_owned(),
            kind: formats::Kind::Full,
            parent: None,
            parent_sha256: None,
            chain: None,
            schema_sha256: None,
            site: self.profile.site.code.clone(),
            taken_at: leader.taken_at,
            finished_at,
            by: self.by.clone(),
            host: crate::store::host(),
            profile_sha256: self.profile.sha256.clone(),
            primary: leader.primary.clone(),
            ledger: leader.ledger,
            rows: tables.iter().map(|t| t.rows).sum(),
            bytes: tables.iter().map(|t| t.bytes).sum(),
            tables,
            sequences,
            settings: leader.settings.clone(),
            roles: leader.roles.clone(),
            numbers: self.profile.blocks().collect(),
            related: leader.related.clone(),
            ledger_tables,
            seconds: (self.started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
        }
    }
}
