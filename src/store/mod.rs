//! The store: `snapshots/ queue/ paper/ state.json journal.jsonl locks/`, and its mirror.

pub mod durable;
mod journal;
mod lock;
mod state;

pub use journal::{Act, Broken, Journal};
pub use lock::{Holder, Kind, Lock, host, program};
pub use state::{Event, FenceState, Mode, Move, State};

use crate::error::{Cannot, Error, Result};
use crate::formats::sums;
use crate::profile::Profile;
use std::path::{Path, PathBuf};

/// The store of one profile. Nothing is open; every call goes to the disk.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
    mirror: Option<PathBuf>,
}

impl Store {
    /// Opens the store of the profile, making its directories (mode 0700) when they are not there.
    pub fn open(profile: &Profile) -> Result<Store> {
        let store = Store { dir: profile.store.dir.clone(), mirror: profile.store.mirror.clone() };
        for base in store.places() {
            for part in ["", "snapshots", "queue", "paper", "locks"] {
                let dir = base.join(part);
                durable::make_dir(&dir).cannot(format!("open the store '{}'", dir.display()))?;
            }
        }
        Ok(store)
    }

    /// The store's own directory and its mirror.
    fn places(&self) -> impl Iterator<Item = &PathBuf> {
        std::iter::once(&self.dir).chain(&self.mirror)
    }

    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    #[must_use]
    pub fn mirror(&self) -> Option<&Path> {
        self.mirror.as_deref()
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
        for base in self.mirror.iter().chain(std::iter::once(&self.dir)) {
            let path = base.join(name);
            durable::replace(&path, bytes).cannot(format!("write '{}'", path.display()))?;
        }
        Ok(())
    }

    /// Copies the directory `dir` of the store to the same place of the mirror, if there is one; done only when the copy verifies.
    pub fn mirror_dir(&self, from: &Path, name: &Path) -> Result<()> {
        let Some(mirror) = &self.mirror else {
            return Ok(());
        };
        let to = mirror.join(name);
        if to.exists() {
            return sums::require(&to);
        }
        durable::copy_dir(from, &to).cannot(format!("mirror '{}' to '{}'", from.display(), to.display()))?;
        sums::require(&to)
    }

    pub fn state(&self) -> Result<State> {
        State::read(self)
    }

    #[must_use]
    pub fn journal(&self) -> Journal {
        Journal::new(self.clone())
    }

    /// Takes the lock of `kind`, or says who holds it since when (exit 7).
    pub fn lock(&self, kind: Kind, by: &str) -> Result<Lock> {
        Lock::take(&self.dir.join("locks"), kind, by)
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
            Some(mirror) => format!("compare with the mirror '{}'.", mirror.display()),
            None => "restore it from a copy; set [store] mirror so that there is one next time.".to_owned(),
        };
        Error::damaged(format!("use '{}'", self.dir.join(what).display()), reason).hint(hint)
    }
}
