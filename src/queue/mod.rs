//! Batches in the store: opening one, the chain they form within an event, and what is left of one in the end.

mod wipe;

pub use wipe::{Wiped, wipe};

use crate::error::{Cannot, Error, Result};
use crate::formats::{batch, sums};
use crate::seal::{self, Seal};
use crate::store::Store;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The id of the event of an epoch: `<site>-<epoch>`, four digits at least so that names sort.
#[must_use]
pub fn event_id(site: &str, epoch: u64) -> String {
    format!("{site}-{epoch:04}")
}

/// A batch whose every file is as it was written.
#[derive(Debug, Clone)]
pub struct Batch {
    pub dir: PathBuf,
    pub manifest: batch::Manifest,
    /// SHA-256 of its SHA256SUMS: what the next batch is chained to.
    pub sha256: String,
    /// Its rows were taken away; what it counted is still there.
    pub wiped: bool,
    seal: Seal,
}

impl Batch {
    /// Opens a batch directory: format first, then checksums, then content.
    pub fn open(dir: &Path, seal: &Seal) -> Result<Batch> {
        let doing = || format!("use the batch '{}'", dir.display());
        if !dir.is_dir() {
            return Err(Error::usage(doing(), "there is no such directory")
                .hint("his-export-queue list shows the batches of the store."));
        }
        seal.require(dir)?;
        let text = std::fs::read(dir.join("manifest.json")).cannot(doing())?;
        let format: Format = serde_json::from_slice(&text).cannot(doing())?;
        if format.format != batch::FORMAT {
            return Err(Error::damaged(
                doing(),
                format!("its format is {} (expected {})", format.format, batch::FORMAT),
            )
            .hint("use the version of the toolkit that wrote it, or a newer one."));
        }
        let manifest: batch::Manifest = serde_json::from_slice(&text).cannot(doing())?;
        if let Some(table) = manifest.tables.iter().find(|t| !sums::is_name(&t.file)) {
            return Err(Error::damaged(doing(), format!("manifest.json: '{}' is not a file of it", table.file)));
        }
        if !manifest.totals.are_possible() {
            return Err(Error::damaged(doing(), "manifest.json: its totals are more than a batch can hold"));
        }
        let wiped = dir.join(sums::WIPED).exists();
        // The hashes of the manifest are of the CSV; what is encrypted holds by its own seal.
        for table in manifest.tables.iter().filter(|t| !wiped && !t.file.ends_with(seal::SEALED)) {
            let actual = sums::of_file(&dir.join(&table.file)).cannot(doing())?;
            if actual != table.sha256 {
                return Err(Error::damaged(
                    doing(),
                    format!("{}: its SHA-256 is {actual} (expected {} by the manifest)", table.file, table.sha256),
                ));
            }
        }
        let sha256 = sums::of_file(&dir.join(sums::FILE)).cannot(doing())?;
        Ok(Batch { dir: dir.to_path_buf(), manifest, sha256, wiped, seal: seal.clone() })
    }

    /// The content of one of its files, decrypted.
    pub fn read(&self, file: &str) -> Result<Box<dyn Read + Send>> {
        if self.wiped {
            let doing = format!("read '{}'", self.dir.join(file).display());
            return Err(Error::damaged(doing, "its rows were wiped, which is done when an event has long been signed off")
                .hint("if this event is not: take the batch from an offline copy. If it is, what it counted is in its manifest and in the ledger."));
        }
        self.seal.open(&self.dir.join(file)).cannot(format!("read '{}'", self.dir.join(file).display()))
    }

    /// One line a unit: who, when, how many rows.
    pub fn units(&self) -> Result<Box<dyn Read + Send>> {
        let units = self.seal.open_either(&self.dir, batch::UNITS_FILE);
        units.cannot(format!("read the units of the batch '{}'", self.dir.display()))
    }
}

#[derive(serde::Deserialize)]
struct Format {
    format: u32,
}

/// SHA-256 of a text, in hexadecimal.
#[must_use]
pub fn sha256(text: &str) -> String {
    crate::formats::hex(&Sha256::digest(text.as_bytes()))
}

/// The batches of an event that hold, in order, and what is wrong with the next one, if anything is.
pub fn chain(store: &Store, event: &str) -> Result<(Vec<Batch>, Option<Error>)> {
    chain_after(store, event, &[])
}

/// As [`chain`], without those of `known` (number and SHA-256) whose `SHA256SUMS` is the known one: their files are not read
/// again, so that a run costs what is new and not what an event has grown to.
pub fn chain_after(store: &Store, event: &str, known: &[(u64, String)]) -> Result<(Vec<Batch>, Option<Error>)> {
    let mut good: Vec<Batch> = Vec::new();
    let mut before: Option<(u64, String, bool)> = None;
    for (number, dir) in store.batches(event)? {
        let there = sums::of_file(&dir.join(sums::FILE)).ok();
        if let Some((_, sha256)) = known.iter().find(|(n, sha256)| *n == number && there.as_ref() == Some(sha256)) {
            before = Some((number, sha256.clone(), false));
            continue;
        }
        match follow(before.as_ref(), number, event, &dir, store.seal()) {
            Ok(batch) => {
                before = Some((number, batch.sha256.clone(), batch.manifest.closing.is_some()));
                good.push(batch);
            }
            Err(e) => return Ok((good, Some(e))),
        }
    }
    Ok((good, None))
}

/// Opens `dir` as the batch after `before` (number, SHA-256, whether it closes the event).
fn follow(before: Option<&(u64, String, bool)>, number: u64, event: &str, dir: &Path, seal: &Seal) -> Result<Batch> {
    let doing = || format!("use the batch '{}'", dir.display());
    let expected = before.map_or(1, |(before, ..)| before + 1);
    if number != expected {
        return Err(Error::damaged(doing(), format!("batch {expected} of event '{event}' is missing (the next one there is {number})"))
            .hint("run his-export-queue: while the standby is there it makes a lost batch again; else take it from the mirror."));
    }
    let batch = Batch::open(dir, seal)?;
    let m = &batch.manifest;
    if (m.batch, m.event.as_str()) != (number, event) {
        return Err(Error::damaged(
            doing(),
            format!("it says that it is batch {} of event '{}' (expected {number} of '{event}')", m.batch, m.event),
        ));
    }
    if let Some((before, sha256, closes)) = before {
        if m.previous != *sha256 {
            return Err(Error::damaged(
                doing(),
                format!("it follows a batch with SHA-256 {} (expected {sha256})", m.previous),
            ));
        }
        if *closes {
            return Err(Error::damaged(
                doing(),
                format!("batch {before} before it has the closing record of the event"),
            ));
        }
    }
    Ok(batch)
}

/// What the manifests of these batches count together.
#[must_use]
pub fn totals(batches: &[Batch]) -> batch::Totals {
    let mut totals = batch::Totals::default();
    batches.iter().for_each(|b| totals.add(&b.manifest.totals));
    totals
}
