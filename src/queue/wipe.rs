//! Taking the rows out of a batch, and leaving the proof: manifest, sums, signature, and who did what when.

use crate::error::{Cannot, Result};
use crate::formats::sums;
use crate::store::{Store, durable};
use serde::Serialize;
use std::path::Path;

/// What was taken out of the batches of an event, here and in the mirror.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Wiped {
    pub batches: u64,
    pub files: u64,
    pub bytes: u64,
}

impl Wiped {
    fn add(&mut self, files: u64, bytes: u64) {
        self.batches += u64::from(files > 0);
        self.files += files;
        self.bytes += bytes;
    }
}

/// Takes the rows out of all batches of `event`, here first, then in the mirror, and says how many files that were; with
/// `dry_run` it only counts. `note` goes into each batch. What is done already is left alone.
pub fn wipe(store: &Store, event: &str, note: &serde_json::Value, dry_run: bool) -> Result<Wiped> {
    let mut wiped = Wiped::default();
    let dirs = [Some(store.dir()), store.mirror()].into_iter().flatten();
    for queue in dirs.map(|dir| dir.join("queue").join(event)) {
        let doing = || format!("wipe the batches in '{}'", queue.display());
        for batch in durable::list(&queue).cannot(doing())? {
            let (files, bytes) = one(&batch, note, dry_run).cannot(doing())?;
            wiped.add(files, bytes);
        }
    }
    Ok(wiped)
}

/// The mark comes first and lasts: a batch without rows and without it would be a damaged one.
fn one(batch: &Path, note: &serde_json::Value, dry_run: bool) -> std::io::Result<(u64, u64)> {
    let rows: Vec<String> = sums::files_below(batch)?.into_iter().filter(|name| sums::is_rows(name)).collect();
    let mut bytes = 0;
    if !rows.is_empty() && !dry_run && !batch.join(sums::WIPED).exists() {
        durable::create_new(&batch.join(sums::WIPED), format!("{note:#}\n").as_bytes())?;
    }
    for name in &rows {
        let path = batch.join(name);
        bytes += path.metadata()?.len();
        if !dry_run {
            std::fs::remove_file(&path)?;
            durable::sync_parent(&path)?;
        }
    }
    Ok((rows.len() as u64, bytes))
}
