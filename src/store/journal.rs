//! `journal.jsonl`: one line per act of any tool, each with the hash of the line before, so that an edited, removed
//! or reordered line shows.

use super::{Store, lock};
use crate::error::{Cannot, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const FILE: &str = "journal.jsonl";
/// `previous` of the first line.
const SEED: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One line of the journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Act {
    pub at: DateTime<Utc>,
    pub program: String,
    pub host: String,
    pub by: String,
    /// What was done, in a word or two: `snapshot`, `load`, `switch standby`, `fence`.
    pub act: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// `done`, `begun`, or what went wrong.
    pub result: String,
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub detail: serde_json::Value,
    pub previous: String,
}

/// Where the chain of hashes does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    pub line: usize,
    pub reason: String,
}

/// The journal of one store.
#[derive(Debug, Clone)]
pub struct Journal {
    store: Store,
}

impl Journal {
    pub(super) fn new(store: Store) -> Self {
        Journal { store }
    }

    /// Appends one act to the journal and its mirror, synced before it returns.
    pub fn write(
        &self,
        by: &str,
        act: &str,
        event: Option<&str>,
        result: &str,
        detail: serde_json::Value,
    ) -> Result<()> {
        let mut line = Act {
            at: Utc::now(),
            program: lock::program(),
            host: lock::host(),
            by: by.to_owned(),
            act: act.to_owned(),
            event: event.map(str::to_owned),
            result: result.to_owned(),
            detail,
            previous: SEED.to_owned(),
        };
        let path = self.store.dir().join(FILE);
        let doing = || format!("write the journal '{}'", path.display());
        let mut file = open(&path).cannot(doing())?;
        // Two tools may write at once; the chain wants them one after the other.
        file.lock().cannot(doing())?;
        if let Some(last) = last_line(&mut file).cannot(doing())? {
            line.previous = hash(&last);
        }
        let mut text = serde_json::to_string(&line).cannot(doing())?;
        text.push('\n');
        append(&mut file, &text).cannot(doing())?;
        if let Some(mirror) = self.store.mirror() {
            let path = mirror.join(FILE);
            open(&path)
                .and_then(|mut f| append(&mut f, &text))
                .cannot(format!("write the journal's mirror '{}'", path.display()))?;
        }
        Ok(())
    }

    /// All acts, oldest first, and the first place where the chain is broken.
    pub fn read(&self) -> Result<(Vec<Act>, Option<Broken>)> {
        let path = self.store.dir().join(FILE);
        let bytes = match std::fs::read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), None)),
            other => other.cannot(format!("read the journal '{}'", path.display()))?,
        };
        let text = String::from_utf8_lossy(&bytes);
        let (mut acts, mut broken, mut expected) = (Vec::new(), None, SEED.to_owned());
        for (number, line) in text.lines().enumerate() {
            let reason = match serde_json::from_str::<Act>(line) {
                Ok(act) => {
                    let reason = (act.previous != expected).then(|| "does not follow from the line before".to_owned());
                    acts.push(act);
                    reason
                }
                Err(e) => Some(format!("cannot be read: {e}")),
            };
            broken = broken.or(reason.map(|reason| Broken { line: number + 1, reason }));
            expected = hash(line);
        }
        if !text.is_empty() && !text.ends_with('\n') {
            broken = broken.or(Some(Broken { line: text.lines().count(), reason: "is cut off".to_owned() }));
        }
        Ok((acts, broken))
    }
}

fn hash(line: &str) -> String {
    crate::formats::hex(&Sha256::digest(line.as_bytes()))
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn append(file: &mut File, text: &str) -> std::io::Result<()> {
    let end = file.seek(SeekFrom::End(0))?;
    // A line cut off by a crash stays as it is, visibly broken, but does not swallow the next one.
    if end > 0 {
        file.seek(SeekFrom::Start(end - 1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn last_line(file: &mut File) -> std::io::Result<Option<String>> {
    let end = file.seek(SeekFrom::End(0))?;
    // Longer than any line we write; a longer one would only be seen as broken.
    let from = end.saturating_sub(1 << 20);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    Ok(String::from_utf8_lossy(&tail).lines().last().map(str::to_owned))
}
