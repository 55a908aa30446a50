//! What a delta stands on: its parent, and so on back to a full snapshot.

use super::list::{self, Snapshot};
use crate::error::{Error, Exit, Result};
use crate::formats::snapshot::Kind;
use crate::store::Store;

/// The snapshot that a delta stands on, exactly as it was then.
pub fn parent(store: &Store, delta: &Snapshot) -> Result<Snapshot> {
    let doing = format!("use the snapshot '{}'", delta.id);
    let m = &delta.manifest;
    let (Some(id), Some(expected)) = (&m.parent, &m.parent_sha256) else {
        return Err(Error::damaged(doing, "manifest.json: it is a delta and names no parent"));
    };
    let hint = "take a full one: his-snapshot --full.";
    let parent = list::open(store, Some(id)).map_err(|e| match e.exit() {
        Exit::Usage => {
            Error::refused(&*doing, format!("the snapshot '{id}', which it stands on, is not in the store")).hint(hint)
        }
        _ => e,
    })?;
    let found = parent.sums_sha256()?;
    if found != *expected {
        let reason = format!(
            "the snapshot '{id}', which it stands on, has SHA256SUMS with SHA-256 {found} (expected {expected})"
        );
        return Err(Error::damaged(doing, reason).hint(hint));
    }
    Ok(parent)
}

/// What a snapshot stands on, the full one first; nothing when it is full itself.
pub fn ancestors(store: &Store, snapshot: &Snapshot) -> Result<Vec<Snapshot>> {
    let mut all: Vec<Snapshot> = Vec::new();
    while let Some(delta) = Some(all.last().unwrap_or(snapshot)).filter(|s| s.manifest.kind == Kind::Delta) {
        let parent = parent(store, delta)?;
        all.push(parent);
    }
    all.reverse();
    Ok(all)
}
