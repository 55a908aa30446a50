//! The store: `snapshots/ queue/ paper/ receipts/ state.json journal.jsonl locks/`, and its mirror.

mod chain;
pub mod durable;
mod journal;
mod lock;
mod mirror;
mod state;

pub use chain::{Broken, Chain, Link};
pub use journal::{Act, Journal};
pub use lock::{Holder, Kind, Lock, host, program};
pub use state::{Event, FenceState, Mode, Move, Reached, State};

use crate::clock;
use crate::error::{Cannot, Error, Result};
use crate::profile::Profile;
use crate::seal::Seal;
use chrono_tz::Tz;
use mirror::Mirror;
use std::path::{Path, PathBuf};

/// What every store has; its mirror has the same.
const DIRECTORIES: [&str; 6] = ["", "snapshots", "queue", "paper", "receipts", "locks"];

/// Where the log of the command post lies.
const INCIDENTS: &str = "incidents.jsonl";

/// Where the register of slip numbers lies.
const REGISTER: &str = "paper/numbers.jsonl";

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// A step that does not count as done before the mirror has it.
    Work,
    /// What goes first (P16): it waits for no mirror, and for nobody who is stuck.
    Emergency,
}

/// The store of one profile. Nothing is open; every call goes to the disk.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
    purpose: Purpose,
    /// In which people are told since when a lock is held.
    zone: Tz,
    mirror: Option<Mirror>,
    seal: Seal,
}

impl Store {
    /// Opens the store of the profile, making its directories (mode 0700) when they are not there.
    pub fn open(profile: &Profile) -> Result<Store> {
        Self::open_for(profile, Purpose::Work)
    }

    /// The same for an emergency: a mirror that cannot be written is noted ([`Store::mirror_trouble`]) and left alone.
    pub fn open_in_emergency(profile: &Profile) -> Result<Store> {
        Self::open_for(profile, Purpose::Emergency)
    }

    fn open_for(profile: &Profile, purpose: Purpose) -> Result<Store> {
        let mirror = profile.store.mirror.clone().map(|dir| Mirror::new(dir, purpose));
        let (dir, zone) = (profile.store.dir.clone(), clock::zone(&profile.site));
        let store = Store { dir, purpose, zone, mirror, seal: Seal::new(&profile.keys) };
        make_directories(&store.dir)?;
        if let Some(mirror) = &store.mirror {
            mirror.write(mirror::SMALL, make_directories)?;
        }
        Ok(store)
    }

    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// With what snapshots and batches are signed, checked and encrypted.
    #[must_use]
    pub fn seal(&self) -> &Seal {
        &self.seal
    }

    /// The mirror that every step must write; `None` without one, and in an emergency, which does not wait for it.
    #[must_use]
    pub fn mirror(&self) -> Option<&Path> {
        self.mirror.as_ref().and_then(Mirror::required)
    }

    /// Where the mirror is, and why it could not be written in this run, if so.
    #[must_use]
    pub fn mirror_trouble(&self) -> Option<(&Path, String)> {
        self.mirror.as_ref().and_then(|m| Some((m.dir(), m.trouble()?)))
    }

    /// Where the mirror is, and what of the store it does not have, if anything; bounded in time.
    #[must_use]
    pub fn mirror_state(&self) -> Option<(&Path, Option<String>)> {
        self.mirror.as_ref().map(|m| (m.dir(), m.trouble().or_else(|| m.behind(self))))
    }

    #[must_use]
    pub fn snapshots(&self) -> PathBuf {
        self.dir.join("snapshots")
    }

    /// Where the batches of `event` lie: `queue/EVENT/000001`, `000002` ….
    #[must_use]
    pub fn queue(&self, event: &str) -> PathBuf {
        self.dir.join("queue").join(event)
    }

    /// Where the batch of a drill lies; never merged, never mirrored.
    #[must_use]
    pub fn drill(&self, event: &str) -> PathBuf {
        self.dir.join("drills").join(event)
    }

    /// Replaces `name` in the store and its mirror, mirror first: what the store says is then never ahead of the mirror.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> Result<()> {
        if let Some(mirror) = &self.mirror {
            let (name, bytes) = (name.to_owned(), bytes.to_vec());
            mirror.write(mirror::SMALL, move |dir| replace_in(dir, &name, &bytes))?;
        }
        replace_in(&self.dir, name, bytes)
    }

    /// Copies a directory to the place `name` of the mirror, if there is one; done only when the copy verifies.
    pub fn mirror_dir(&self, from: &Path, name: &Path) -> Result<()> {
        let Some(mirror) = &self.mirror else {
            return Ok(());
        };
        let (from, name) = (from.to_path_buf(), name.to_path_buf());
        mirror.write(mirror::BATCH, move |dir| mirror::copy(&from, &dir.join(name)))
    }

    pub fn state(&self) -> Result<State> {
        State::read(self)
    }

    #[must_use]
    pub fn journal(&self) -> Journal {
        Journal::new(self.clone())
    }

    /// The register of slip numbers.
    #[must_use]
    pub fn register(&self) -> Chain {
        Chain::new(self.clone(), REGISTER)
    }

    /// The log of the command post.
    #[must_use]
    pub fn incidents(&self) -> Chain {
        Chain::new(self.clone(), INCIDENTS)
    }

    /// The chains that the mirror has too.
    fn chains(&self) -> [Chain; 3] {
        [Chain::new(self.clone(), journal::FILE), self.register(), self.incidents()]
    }

    /// Takes the lock of `kind`, or says who holds it since when (exit 7). What an emergency could not write into the
    /// mirror is written there first.
    pub fn lock(&self, kind: Kind, by: &str) -> Result<Lock> {
        let lock = Lock::take(&self.dir.join("locks"), kind, by, self.zone)?;
        if self.mirror().is_some() {
            mirror::catch_up(self, kind)?;
        }
        Ok(lock)
    }

    /// Held while the log of the command post is read and written on: two people may do so at once.
    pub fn incident_lock(&self) -> Result<Lock> {
        self.brief_lock("incident")
    }

    /// Takes a lock that is held for the moment of one write.
    fn brief_lock(&self, name: &str) -> Result<Lock> {
        Lock::brief(&self.dir.join("locks"), name, self.purpose == Purpose::Emergency)
    }

    /// Batch directories of `event` in order of their numbers, unfinished ones left out.
    pub fn batches(&self, event: &str) -> Result<Vec<(u64, PathBuf)>> {
        let dir = self.queue(event);
        let mut found: Vec<(u64, PathBuf)> = durable::list(&dir)
            .cannot(format!("list '{}'", dir.display()))?
            .into_iter()
            .filter_map(|path| Some((path.file_name()?.to_str()?.parse().ok()?, path)))
            .collect();
        found.sort();
        Ok(found)
    }

    /// Events that have a queue, in order of their epochs; drills left out.
    pub fn events(&self) -> Result<Vec<String>> {
        let dir = self.dir.join("queue");
        let mut found: Vec<(u64, String)> = durable::list(&dir)
            .cannot(format!("list '{}'", dir.display()))?
            .into_iter()
            .filter_map(|path| {
                let id = path.file_name()?.to_str()?.to_owned();
                Some((id.rsplit_once('-')?.1.parse().ok()?, id))
            })
            .collect();
        found.sort();
        Ok(found.into_iter().map(|(_, id)| id).collect())
    }

    /// An error that something in the store is not as it was left.
    #[must_use]
    pub fn damaged(&self, what: &str, reason: impl std::fmt::Display) -> Error {
        let hint = match &self.mirror {
            Some(mirror) => format!("compare with the mirror '{}'.", mirror.dir().display()),
            None => "restore it from a copy; set [store] mirror so that there is one next time.".to_owned(),
        };
        Error::damaged(format!("use '{}'", self.dir.join(what).display()), reason).hint(hint)
    }
}

fn make_directories(base: &Path) -> Result<()> {
    for part in DIRECTORIES {
        let dir = base.join(part);
        durable::make_dir(&dir).cannot(format!("open the store '{}'", dir.display()))?;
    }
    Ok(())
}

fn replace_in(dir: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = dir.join(name);
    durable::replace(&path, bytes).cannot(format!("write '{}'", path.display()))
}
