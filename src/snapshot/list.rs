//! The snapshots of the store: which there are, and opening one.

use crate::error::{Cannot, Error, Result};
use crate::formats::snapshot::{FORMAT, LedgerTable, MANIFEST, Manifest, Table};
use crate::formats::{hex, sums};
use crate::profile::{Numbers, Profile};
use crate::seal::Seal;
use crate::store::{Store, durable};
use chrono::{DateTime, NaiveDateTime, Utc};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The id of a snapshot taken at this time; ids sort as times do.
#[must_use]
pub fn id_of(taken_at: DateTime<Utc>) -> String {
    taken_at.format("%Y%m%dT%H%M%S%3fZ").to_string()
}

/// When the snapshot of this id was taken; `None` when it is no id.
#[must_use]
pub fn time_of(id: &str) -> Option<DateTime<Utc>> {
    let time = NaiveDateTime::parse_from_str(id, "%Y%m%dT%H%M%S%3fZ").ok()?.and_utc();
    (id_of(time) == id).then_some(time)
}

/// A snapshot whose manifest is as it was written. While this lives, `prune` leaves its directory alone.
#[derive(Debug)]
pub struct Snapshot {
    pub id: String,
    pub path: PathBuf,
    pub manifest: Manifest,
    seal: Seal,
    _in_use: Option<File>,
}

/// One directory of the store and what it is.
#[derive(Debug)]
pub struct Listed {
    pub id: String,
    pub path: PathBuf,
    /// An error of [`crate::Exit::Damaged`] when its manifest cannot be trusted.
    pub found: Result<Snapshot>,
}

/// Ids of the finished snapshots, oldest first; whole or damaged.
pub fn ids(store: &Store) -> Result<Vec<String>> {
    let dir = store.snapshots();
    let paths = durable::list(&dir).cannot(format!("list the snapshots in '{}'", dir.display()))?;
    let name = |path: PathBuf| Some(path.file_name()?.to_str()?.to_owned());
    Ok(paths.into_iter().filter_map(name).filter(|id| time_of(id).is_some()).collect())
}

/// Every snapshot of the store, oldest first.
pub fn list(store: &Store) -> Result<Vec<Listed>> {
    let listed = |id: String| {
        let path = store.snapshots().join(&id);
        Listed { found: Snapshot::at(&path, store.seal()), id, path }
    };
    Ok(ids(store)?.into_iter().map(listed).collect())
}

/// Opens a snapshot, the newest when `id` is `None`. A damaged one is an error that names it, never passed over.
pub fn open(store: &Store, id: Option<&str>) -> Result<Snapshot> {
    let id = match id {
        Some(id) => id.to_owned(),
        None => ids(store)?.pop().ok_or_else(|| {
            Error::refused("use the newest snapshot", format!("the store '{}' has none", store.dir().display()))
                .hint("take one: his-snapshot.")
        })?,
    };
    Snapshot::at(&existing(store, &id)?, store.seal())
}

/// The directory of a snapshot that is there.
pub(super) fn existing(store: &Store, id: &str) -> Result<PathBuf> {
    let path = store.snapshots().join(id);
    if time_of(id).is_none() || !path.is_dir() {
        return Err(Error::usage(format!("use the snapshot '{id}'"), "the store has no such snapshot")
            .hint("his-snapshot list shows which there are."));
    }
    Ok(path)
}

impl Snapshot {
    /// Opens a snapshot directory anywhere: format first, then checksum, then content. Reads the manifest only.
    pub fn at(path: &Path, seal: &Seal) -> Result<Snapshot> {
        let doing = || format!("use the snapshot '{}'", path.display());
        let damaged = |reason: String| Error::damaged(doing(), reason);
        let in_use = in_use(path).cannot(doing())?;
        let bytes = read(path, MANIFEST).map_err(damaged)?;
        let manifest = parse(&bytes).map_err(damaged)?;
        let listed = read(path, sums::FILE).map_err(damaged)?;
        let expected = format!("{}  {MANIFEST}", hex(&Sha256::digest(&bytes)));
        if !String::from_utf8_lossy(&listed).lines().any(|line| line == expected) {
            return Err(damaged(format!("{MANIFEST}: its SHA-256 is not the one in {}", sums::FILE)));
        }
        let id = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if manifest.snapshot != id {
            return Err(damaged(format!(
                "{MANIFEST}: it is of the snapshot '{}' (expected '{id}')",
                manifest.snapshot
            )));
        }
        Ok(Snapshot { id, path: path.to_path_buf(), manifest, seal: seal.clone(), _in_use: in_use })
    }

    /// It is of this site, or of one whose snapshots the profile takes, and then that one's emergency numbers are none of ours.
    pub fn require_ours(&self, doing: &str, profile: &Profile) -> Result<()> {
        let (m, own) = (&self.manifest, &profile.site.code);
        if m.site == *own {
            return Ok(());
        }
        if !profile.store.snapshots_of.contains(&m.site) {
            return Err(Error::refused(doing, format!("it is of site '{}' (the profile is of '{own}')", m.site)).hint(
                "each site has a store of its own (check [store] dir); a campus that is fed with another site's snapshots names that site in snapshots_of of [store].",
            ));
        }
        for block in &m.numbers {
            let meets = |n: &&Numbers| matches!(n, Numbers::Block { sequence, first, last } if *sequence == block.sequence && *first <= block.last && block.first <= *last);
            if let Some(Numbers::Block { sequence, first, last }) = profile.numbers.iter().find(meets) {
                return Err(Error::refused(
                    doing,
                    format!(
                        "site '{}' hands out {}..{} of '{sequence}' in its emergencies, and the block here is {first}..{last}",
                        m.site, block.first, block.last
                    ),
                )
                .hint("no number may be handed out twice: give this site a block of its own in [[numbers]] of the profile."));
            }
        }
        Ok(())
    }

    /// Compares every file with `SHA256SUMS`; an error ([`crate::Exit::Damaged`]) when one is not as it was written.
    pub fn verify_files(&self) -> Result<()> {
        self.seal.require(&self.path)?;
        let listed = sums::files_below(&self.path).cannot(format!("verify '{}'", self.path.display()))?;
        match self.manifest.files().find(|file| !listed.iter().any(|name| name == file)) {
            Some(file) => Err(Error::damaged(format!("use '{}'", self.path.display()), format!("{file}: missing"))),
            None => Ok(()),
        }
    }

    /// SHA-256 of its `SHA256SUMS`: one hash for all of it.
    pub fn sums_sha256(&self) -> Result<String> {
        let path = self.path.join(sums::FILE);
        sums::of_file(&path).cannot(format!("read '{}'", path.display()))
    }

    /// The CSV of one table, decompressed.
    pub fn csv(&self, table: &Table) -> Result<Box<dyn Read + Send>> {
        self.file(&table.file)
    }

    /// The CSV of one table of the merge ledger, decompressed.
    pub fn ledger_csv(&self, table: &LedgerTable) -> Result<Box<dyn Read + Send>> {
        self.file(&table.file)
    }

    /// The CSV of a file that its manifest names, decompressed.
    pub fn file(&self, file: &str) -> Result<Box<dyn Read + Send>> {
        let path = self.path.join(file);
        self.seal.open(&path).cannot(format!("read '{}'", path.display()))
    }
}

/// A shared lock on the directory. Where the file system knows no such locks, prune's other rules have to do.
fn in_use(path: &Path) -> std::io::Result<Option<File>> {
    let file = File::open(path)?;
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(e) => {
            log::debug!("'{}' cannot be marked as in use: {e}", path.display());
            Ok(None)
        }
    }
}

/// The bytes of a file that must be there; the reason when they cannot be had.
fn read(dir: &Path, name: &str) -> Result<Vec<u8>, String> {
    std::fs::read(dir.join(name)).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => format!("{name}: missing"),
        _ => format!("{name}: {e}"),
    })
}

#[derive(serde::Deserialize)]
struct Format {
    format: u32,
}

/// Reads a manifest: its format number before anything that depends on it.
pub(super) fn parse(bytes: &[u8]) -> Result<Manifest, String> {
    let format: Format = serde_json::from_slice(bytes).map_err(|e| format!("{MANIFEST}: {e}"))?;
    if format.format != FORMAT {
        return Err(format!("{MANIFEST}: its format is {} (expected {FORMAT})", format.format));
    }
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(|e| format!("{MANIFEST}: {e}"))?;
    if let Some(file) = manifest.files().find(|file| !sums::is_name(file)) {
        return Err(format!("{MANIFEST}: it names the file '{file}', which is not in the snapshot"));
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_times_and_nothing_else_is_an_id() {
        let time = time_of("20261122T094500123Z").unwrap();
        assert_eq!(time.timestamp_subsec_millis(), 123);
        assert_eq!(id_of(time), "20261122T094500123Z");
        for other in ["20261122T094500Z", "lost+found", "20261322T094500123Z", "20261122T094500123Z.old", "../x", ""] {
            assert_eq!(time_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_manifest_of_another_format_is_named_as_such() {
        assert_eq!(parse(br#"{"format":2,"new":1}"#).unwrap_err(), "manifest.json: its format is 2 (expected 1)");
        assert!(parse(b"{").unwrap_err().starts_with("manifest.json: "));
    }
}
