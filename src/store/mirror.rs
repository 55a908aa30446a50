//! The mirror: a second place, on another machine or disk, for batches, state and journal.
//!
//! Every step writes it before it counts as done. Only an emergency does not wait for it (P16): a mirror that cannot be
//! written, or does not answer, is noted and left alone, and the next step of another program brings it up to date.

use super::{Chain, Kind, Purpose, State, Store, durable, state};
use crate::db;
use crate::error::{Cannot, Error, Result};
use crate::formats::sums;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long an emergency waits for a mirror to write a state or a line of the journal: a dead NFS server never answers.
pub(super) const SMALL: Duration = Duration::from_secs(2);
/// How long it waits for a batch to be copied there.
pub(super) const BATCH: Duration = Duration::from_secs(10);

/// Why a mirror was not written.
#[derive(Debug, Default)]
struct Trouble {
    reason: Option<String>,
    /// It does not take anything now, and is not tried again in this run.
    gone: bool,
}

/// The mirror of one store; clones share what they know of it.
#[derive(Debug, Clone)]
pub(super) struct Mirror {
    dir: PathBuf,
    purpose: Purpose,
    trouble: Arc<Mutex<Trouble>>,
}

impl Mirror {
    pub fn new(dir: PathBuf, purpose: Purpose) -> Mirror {
        Mirror { dir, purpose, trouble: Arc::default() }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn required(&self) -> Option<&Path> {
        (self.purpose == Purpose::Work).then_some(&self.dir)
    }

    /// Why it could not be written or read in this run.
    pub fn trouble(&self) -> Option<String> {
        self.held().reason.clone()
    }

    fn held(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, reason: String, gone: bool) {
        let mut trouble = self.held();
        trouble.reason.get_or_insert(reason);
        trouble.gone |= gone;
    }

    /// Does `work` in the mirror's directory; in an emergency no longer than `limit`, and whether it comes off or not.
    pub fn write(&self, limit: Duration, work: impl FnOnce(&Path) -> Result<()> + Send + 'static) -> Result<()> {
        match self.purpose {
            Purpose::Work => work(&self.dir),
            Purpose::Emergency => {
                self.bounded(limit, work);
                Ok(())
            }
        }
    }

    /// `None`: it did not come off, which is noted.
    fn bounded<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce(&Path) -> Result<T> + Send + 'static,
    ) -> Option<T> {
        if self.held().gone {
            return None;
        }
        let dir = self.dir.clone();
        match db::within(limit, move || work(&dir)) {
            Some(Ok(done)) => return Some(done),
            Some(Err(e)) => self.note(e.to_string(), true),
            None => self.note(format!("no answer within {} s", limit.as_secs()), true),
        }
        None
    }

    /// What `name` of the mirror says; `None` when it is not there, or cannot be had in an emergency.
    pub fn read<T>(&self, name: &str, parse: impl Fn(&[u8]) -> Result<T, String>) -> Result<Option<T>> {
        let path = self.dir.join(name);
        let damaged = |reason: String| Error::damaged(format!("use '{}'", path.display()), reason);
        if self.purpose == Purpose::Work {
            return read(&path)?.map(|bytes| parse(&bytes)).transpose().map_err(|reason| {
                damaged(reason).hint("that of the store holds: move this one away, and it is written there again.")
            });
        }
        let name = name.to_owned();
        let Some(bytes) = self.bounded(SMALL, move |dir| read(&dir.join(name))).flatten() else { return Ok(None) };
        // It is written over in a moment, and then sound again; that it was not is still worth a word.
        Ok(parse(&bytes).map_err(|reason| self.note(damaged(reason).to_string(), false)).ok())
    }

    /// What of the store is not in it, in words; `None` when nothing is missing.
    pub fn behind(&self, store: &Store) -> Option<String> {
        let (store, mirror) = (store.clone(), self.dir.clone());
        let look = move || {
            let ahead: Vec<&str> = ahead(&store, &mirror)?.iter().map(Chain::name).collect();
            Ok::<_, Error>((missing(&store, &mirror)?, missing_batches(&store, &mirror)?, ahead))
        };
        match db::within(SMALL, look) {
            None => Some(format!("no answer within {} s", SMALL.as_secs())),
            Some(Err(e)) => Some(e.to_string()),
            Some(Ok((_, _, ahead))) if !ahead.is_empty() => {
                Some(format!("it has lines of the {} that the store does not have any more", ahead.join(", ")))
            }
            Some(Ok(((state, chains), batches, _))) => {
                let chains = chains.iter().map(|c| format!("the end of the {}", c.name()));
                let state = state.then(|| "the state".to_owned());
                let batches = (!batches.is_empty()).then(|| format!("{} of the batches", batches.len()));
                let parts: Vec<String> = state.into_iter().chain(chains).chain(batches).collect();
                (!parts.is_empty()).then(|| format!("it does not have {}", parts.join(", ")))
            }
        }
    }
}

/// The bytes of a file; `None` when it is not there.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some).cannot(format!("read '{}'", path.display())),
    }
}

/// Copies a directory with `SHA256SUMS` to `to`, unless it is there; done only when what is there verifies.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    if !to.exists() {
        let doing = || format!("mirror '{}' to '{}'", from.display(), to.display());
        if let Some(parent) = to.parent() {
            durable::make_dir(parent).cannot(doing())?;
        }
        durable::copy_dir(from, to).cannot(doing())?;
    }
    sums::require(to)
}

/// Whether a mirror lacks the state, and the chains whose end it lacks.
fn missing(store: &Store, mirror: &Path) -> Result<(bool, Vec<Chain>)> {
    let state = read(&store.dir().join(state::FILE))? != read(&mirror.join(state::FILE))?;
    let mut behind = Vec::new();
    for chain in store.chains() {
        if chain.is_behind(mirror)? {
            behind.push(chain);
        }
    }
    Ok((state, behind))
}

/// The chains of which a mirror has more than the store.
fn ahead(store: &Store, mirror: &Path) -> Result<Vec<Chain>> {
    let mut found = Vec::new();
    for chain in store.chains() {
        if chain.is_ahead(mirror)? {
            found.push(chain);
        }
    }
    Ok(found)
}

/// Batches that a mirror lacks, as their places below store and mirror.
fn missing_batches(store: &Store, mirror: &Path) -> Result<Vec<PathBuf>> {
    let mut batches = Vec::new();
    for event in store.events()? {
        for (number, _) in store.batches(&event)? {
            let place = Path::new("queue").join(&event).join(format!("{number:06}"));
            if !mirror.join(&place).exists() {
                batches.push(place);
            }
        }
    }
    Ok(batches)
}

/// Writes into a mirror that must be there what an emergency could not. Batches are left to the one who holds their lock.
pub(super) fn catch_up(store: &Store, kind: Kind) -> Result<()> {
    let Some(mirror) = store.mirror() else { return Ok(()) };
    let (state, chains) = missing(store, mirror)?;
    if state {
        State::update(store, |_| {})?;
    }
    for chain in chains {
        chain.catch_up()?;
    }
    if kind != Kind::Export {
        return Ok(());
    }
    for place in missing_batches(store, mirror)? {
        let from = store.dir().join(&place);
        sums::require(&from).map_err(|e: Error| {
            e.hint("move that directory away and run his-export-queue again: the batch is made again from the standby.")
        })?;
        store.mirror_dir(&from, &place)?;
    }
    Ok(())
}
