//! The offline copy: a snapshot on a medium that leaves the room.

use super::list;
use crate::cli::Site;
use crate::error::{Cannot, Error, Exit, Result};
use crate::formats::sums;
use crate::seal::Seal;
use crate::store::{Store, durable};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

const NOTE: &str = "offline-copy.json";

/// The latest offline copy, as noted in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfflineCopy {
    pub snapshot: String,
    /// Where its data ends.
    pub taken_at: DateTime<Utc>,
    pub copied_at: DateTime<Utc>,
    pub path: PathBuf,
}

/// The note about the latest offline copy; `None` when there was never one.
pub fn offline_copy(store: &Store) -> Result<Option<OfflineCopy>> {
    let path = store.dir().join(NOTE);
    match std::fs::read(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        other => {
            let bytes = other.cannot(format!("read '{}'", path.display()))?;
            serde_json::from_slice(&bytes).map(Some).map_err(|e| store.damaged(NOTE, e))
        }
    }
}

/// Copies a snapshot (default: the newest) into the directory `to`, verifies the copy and notes it. With `dry_run` it
/// only says what it would copy. A copy that is there already is verified again, and that counts.
pub fn copy(site: &Site, id: Option<&str>, to: &Path, dry_run: bool) -> Result<OfflineCopy> {
    let snapshot = list::open(&site.store, id)?;
    let doing = format!("copy the snapshot '{}' to '{}'", snapshot.id, to.display());
    let to = std::path::absolute(to).cannot(doing.clone())?;
    if !to.is_dir() {
        return Err(Error::failed(doing, "there is no such directory")
            .hint("is the medium mounted? The directory is not made for you, so that no copy lands beneath an empty mount point."));
    }
    let path = to.join(&snapshot.id);
    if path.starts_with(site.store.snapshots()) {
        return Err(Error::usage(doing, "that is the store itself").hint("name a directory on another medium."));
    }
    let mut done = OfflineCopy {
        snapshot: snapshot.id.clone(),
        taken_at: snapshot.manifest.taken_at,
        copied_at: Utc::now(),
        path: path.clone(),
    };
    if dry_run {
        return Ok(done);
    }
    let _alone = alone(&to, &doing)?;
    durable::sweep(&to).cannot(doing.clone())?;
    snapshot.verify_files()?;
    if !path.exists() {
        site.talk.say(format!("copying {} to {}", snapshot.id, path.display()));
        if let Err(e) = durable::copy_dir(&snapshot.path, &path) {
            let _ = durable::remove_dir(&durable::sibling(&path));
            return Err(e).cannot(doing);
        }
    }
    require_same(&snapshot, &path, site.store.seal())?;
    done.copied_at = Utc::now();
    let mut text = serde_json::to_string_pretty(&done).cannot("note the offline copy")?;
    text.push('\n');
    site.store.replace(NOTE, text.as_bytes())?;
    site.store.journal().write(
        &site.by,
        "snapshot copy",
        None,
        "done",
        json!({ "snapshot": done.snapshot, "path": done.path }),
    )?;
    Ok(done)
}

/// The copy holds by its own checksums, and these are the snapshot's.
pub(super) fn require_same(snapshot: &list::Snapshot, path: &Path, seal: &Seal) -> Result<()> {
    seal.require(path)
        .map_err(|e| e.hint("the copy is damaged: remove it, or use another medium, then copy again."))?;
    let copied = sums::of_file(&path.join(sums::FILE)).cannot(format!("verify '{}'", path.display()))?;
    let expected = snapshot.sums_sha256()?;
    if copied != expected {
        return Err(Error::damaged(
            format!("verify '{}'", path.display()),
            format!("its {} has SHA-256 {copied} (expected {expected})", sums::FILE),
        )
        .hint("another snapshot lies there under this name: move it away, then copy again."));
    }
    Ok(())
}

/// Two copies to one medium would clear each other's unfinished directory away.
fn alone(to: &Path, doing: &str) -> Result<Option<File>> {
    let dir = File::open(to).cannot(doing)?;
    match dir.try_lock() {
        Ok(()) => Ok(Some(dir)),
        Err(TryLockError::WouldBlock) => Err(Error::new(Exit::Locked, doing, "another his-snapshot copy writes there")
            .hint("wait for that copy to end, then run the same command again.")),
        // Some file systems of USB sticks know no locks.
        Err(TryLockError::Error(e)) => {
            log::debug!("'{}' cannot be locked: {e}", to.display());
            Ok(None)
        }
    }
}
