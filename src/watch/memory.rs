//! What his-watch remembers from one run to the next, below the store. It may be removed at any time.

use crate::cli::Site;
use crate::formats::sums;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const FILE: &str = "watch.json";

/// A batch that has not been touched is read again after so long: what a disk forgets leaves no trace in its times.
const AGAIN: TimeDelta = TimeDelta::hours(1);

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    /// Seconds of the primary's last answers, oldest first.
    #[serde(default)]
    pub primary_answers: Vec<f64>,
    /// Batches that were read, by their directory.
    #[serde(default)]
    batches: BTreeMap<String, Whole>,
}

/// A batch whose every byte was as it was written.
#[derive(Debug, Serialize, Deserialize)]
struct Whole {
    /// Of the names, sizes and times of its files.
    stamp: String,
    /// Of its `SHA256SUMS`.
    sha256: String,
    at: DateTime<Utc>,
}

impl Memory {
    pub fn read(site: &Site) -> Memory {
        let bytes = std::fs::read(site.store.dir().join(FILE)).ok();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// That it cannot be written is seen by the check of the disk.
    pub fn write(&self, site: &Site) {
        if let Ok(text) = serde_json::to_vec(self)
            && let Err(e) = crate::store::durable::replace(&site.store.dir().join(FILE), &text)
        {
            log::info!("nothing is remembered: {e}");
        }
    }

    /// SHA-256 of the `SHA256SUMS` of a batch that was read not long ago and has not been touched since.
    pub fn whole(&self, batch: &Path, now: DateTime<Utc>) -> Option<String> {
        let known = self.batches.get(&batch.display().to_string())?;
        (now - known.at < AGAIN && stamp(batch).as_ref() == Some(&known.stamp)).then(|| known.sha256.clone())
    }

    pub fn is_whole(&mut self, batch: &Path, sha256: &str, now: DateTime<Utc>) {
        if let Some(stamp) = stamp(batch) {
            let whole = Whole { stamp, sha256: sha256.to_owned(), at: now };
            self.batches.insert(batch.display().to_string(), whole);
        }
    }

    /// Forgets batches that nobody asks for any more.
    pub fn forget_batches_but(&mut self, kept: &[String]) {
        self.batches.retain(|dir, _| kept.contains(dir));
    }
}

fn stamp(batch: &Path) -> Option<String> {
    let mut hash = Sha256::new();
    for name in sums::files_below(batch).ok()? {
        let file = std::fs::metadata(batch.join(&name)).ok()?;
        hash.update(format!("{name}\0{}\0{}\0{}\n", file.len(), file.mtime(), file.mtime_nsec()));
    }
    Some(crate::formats::hex(&hash.finalize()))
}
