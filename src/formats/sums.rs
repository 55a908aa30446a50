//! `SHA256SUMS`: every file of a directory with its hash, so that `sha256sum -c` checks it with no tool of ours.

use crate::error::{Cannot, Error, Result};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

pub const FILE: &str = "SHA256SUMS";
/// The signature over [`FILE`], which that file cannot list (see [`crate::seal`]).
pub const SIGNATURE: &str = "SHA256SUMS.minisig";
/// In a batch whose rows were taken away when its event had long been settled ([`crate::queue::wipe`]); the sums still say
/// what they were.
pub const WIPED: &str = "WIPED";

/// One file that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Damage {
    pub file: String,
    pub reason: String,
}

/// SHA-256 of a file's bytes, in hexadecimal.
pub fn of_file(path: &Path) -> std::io::Result<String> {
    let (mut file, mut hash, mut buffer) = (std::fs::File::open(path)?, Sha256::new(), vec![0; 1 << 18]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(super::hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// The text of `SHA256SUMS` for these files (name → hash), in the form that `sha256sum` writes.
#[must_use]
pub fn text(files: &BTreeMap<String, String>) -> String {
    files.iter().flat_map(|(name, hash)| [hash, "  ", name, "\n"]).collect()
}

/// Compares every file of `dir` with its `SHA256SUMS`; missing, extra and changed files are damage.
pub fn check(dir: &Path) -> Result<Vec<Damage>> {
    let doing = || format!("verify '{}'", dir.display());
    let damage = |file: &str, reason: String| Damage { file: file.to_owned(), reason };
    let text = match std::fs::read_to_string(dir.join(FILE)) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Ok(vec![damage(FILE, "missing".to_owned())]);
        }
        Err(e) if e.kind() == std::io::ErrorKind::InvalidData => {
            return Ok(vec![damage(FILE, "not text".to_owned())]);
        }
        Err(e) => return Err(e).cannot(doing()),
    };
    let mut found = Vec::new();
    let mut listed = BTreeMap::new();
    for line in text.lines() {
        match line.split_once("  ") {
            Some((hash, name)) if hash.len() == 64 && is_name(name) => {
                listed.insert(name.to_owned(), hash.to_owned());
            }
            _ => found.push(damage(FILE, "a line is not of the form 'hash  name'".to_owned())),
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        found.push(damage(FILE, "the last line is cut off".to_owned()));
    }
    let wiped = listed.keys().any(|name| is_units(name)) && dir.join(WIPED).exists();
    for (name, hash) in &listed {
        if wiped && is_rows(name) {
            continue;
        }
        match of_file(&dir.join(name)) {
            Ok(actual) if actual == *hash => {}
            Ok(actual) => found.push(damage(name, format!("its SHA-256 is {actual} (expected {hash})"))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => found.push(damage(name, "missing".to_owned())),
            Err(e) => return Err(e).cannot(doing()),
        }
    }
    for name in files_below(dir).cannot(doing())? {
        let besides = name == FILE || name == SIGNATURE || (wiped && name == WIPED);
        if !besides && !listed.contains_key(&name) {
            found.push(damage(&name, format!("not listed in {FILE}")));
        }
    }
    if !listed.contains_key("manifest.json") {
        found.push(damage("manifest.json", format!("not listed in {FILE}")));
    }
    Ok(found)
}

/// Whether a file of a batch has rows of the HIS in it, which a wipe takes away. Data of a snapshot lie a directory deeper.
pub(crate) fn is_rows(name: &str) -> bool {
    let plain = Path::new(name.strip_suffix(crate::seal::SEALED).unwrap_or(name));
    plain.extension().is_some_and(|e| e == "csv") && !name.contains('/') && !is_units(name)
}

fn is_units(name: &str) -> bool {
    name.strip_suffix(crate::seal::SEALED).unwrap_or(name) == super::batch::UNITS_FILE
}

/// A path within the directory. Zeros are what a power failure leaves of a file.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('/') && name.split('/').all(|part| part != "..") && !name.contains('\0')
}

/// As [`check`]; any damage is an error that names the first file and how many there are.
pub fn require(dir: &Path) -> Result<()> {
    let damaged = check(dir)?;
    let Some(first) = damaged.first() else {
        return Ok(());
    };
    let more = if damaged.len() > 1 { format!(", and {} more", damaged.len() - 1) } else { String::new() };
    Err(Error::damaged(format!("use '{}'", dir.display()), format!("{}: {}{more}", first.file, first.reason)))
}

/// Every file below `dir`, relative, with `/`, sorted.
pub fn files_below(dir: &Path) -> std::io::Result<Vec<String>> {
    let (mut files, mut dirs) = (Vec::new(), vec![String::new()]);
    while let Some(prefix) = dirs.pop() {
        for entry in std::fs::read_dir(dir.join(&prefix))? {
            let entry = entry?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() { dirs.push(format!("{name}/")) } else { files.push(name) }
        }
    }
    files.sort();
    Ok(files)
}
