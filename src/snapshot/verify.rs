//! Verifies a snapshot as far as it can be without a server: every file, and every table's rows, bytes and digests.

use super::list;
use crate::error::Result;
use crate::formats::digest::{Digested, RecordDigest};
use crate::formats::snapshot::{MANIFEST, Manifest, SCHEMA_FILE};
use crate::formats::sums::Damage;
use crate::seal::Seal;
use std::io::Read;
use std::path::Path;

/// All that is not as it was written in a snapshot's directory; empty when it holds.
pub fn damage(dir: &Path, seal: &Seal) -> Result<Vec<Damage>> {
    let mut found = seal.check(dir)?;
    let damaged = |found: &[Damage], file: &str| found.iter().any(|d| d.file == file);
    let bytes = match std::fs::read(dir.join(MANIFEST)) {
        Ok(bytes) => bytes,
        Err(e) => {
            if !damaged(&found, MANIFEST) {
                found.push(of(MANIFEST, e.to_string()));
            }
            return Ok(found);
        }
    };
    let manifest = match list::parse(&bytes) {
        Ok(manifest) => manifest,
        Err(reason) => {
            found.push(of(MANIFEST, reason.trim_start_matches("manifest.json: ")));
            return Ok(found);
        }
    };
    found.extend(contradictions(dir, &manifest));
    for table in &manifest.tables {
        let rows =
            Expected { bytes: Some(table.bytes), rows: table.rows, sha256: &table.sha256, digest: &table.digest };
        let beside = table
            .parts()
            .map(|p| (p.file.as_str(), Expected { bytes: None, rows: p.rows, sha256: &p.sha256, digest: &p.digest }));
        for (file, expected) in std::iter::once((table.file.as_str(), rows)).chain(beside) {
            // What this machine cannot decrypt holds by its checksums.
            if !damaged(&found, file)
                && seal.reads(file)
                && let Err(reason) = content(dir, file, &expected, seal)
            {
                found.push(of(file, reason));
            }
        }
    }
    if !damaged(&found, SCHEMA_FILE)
        && let Err(reason) = archive(&dir.join(SCHEMA_FILE))
    {
        found.push(of(SCHEMA_FILE, reason));
    }
    Ok(found)
}

fn of(file: &str, reason: impl Into<String>) -> Damage {
    Damage { file: file.to_owned(), reason: reason.into() }
}

/// Where the manifest does not agree with itself, or with the directory's name.
fn contradictions(dir: &Path, manifest: &Manifest) -> Vec<Damage> {
    let mut found = Vec::new();
    let name = dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if manifest.snapshot != name {
        found.push(of(MANIFEST, format!("it is of the snapshot '{}' (expected '{name}')", manifest.snapshot)));
    }
    let rows: u64 = manifest.tables.iter().map(|t| t.rows).sum();
    if rows != manifest.rows {
        found.push(of(MANIFEST, format!("its tables have {rows} rows together (expected {})", manifest.rows)));
    }
    let bytes: u64 = manifest.tables.iter().map(|t| t.bytes).sum();
    if bytes != manifest.bytes {
        found.push(of(MANIFEST, format!("its tables have {bytes} bytes together (expected {})", manifest.bytes)));
    }
    found
}

/// What the manifest says of a file with CSV.
struct Expected<'a> {
    rows: u64,
    bytes: Option<u64>,
    sha256: &'a str,
    digest: &'a str,
}

/// Reads the CSV of one file and compares it with the manifest.
fn content(dir: &Path, file: &str, expected: &Expected, seal: &Seal) -> Result<(), String> {
    let mut reader = seal.open(&dir.join(file)).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => "missing".to_owned(),
        _ => e.to_string(),
    })?;
    let (mut digest, mut buffer) = (RecordDigest::like(expected.digest).and_whole(), vec![0; 1 << 18]);
    loop {
        match reader.read(&mut buffer).map_err(|e| format!("cannot be read: {e}"))? {
            0 => break,
            n => digest.update(&buffer[..n]),
        }
    }
    let Digested { rows, bytes, sha256, digest } =
        digest.finish().ok_or_else(|| "its CSV ends inside a record".to_owned())?;
    let differs = |what: &str, actual: &dyn std::fmt::Display, expected: &dyn std::fmt::Display| {
        Err(format!("its CSV has {what} {actual} (expected {expected} by the manifest)"))
    };
    if rows != expected.rows {
        return differs("rows", &rows, &expected.rows);
    }
    if let Some(expected) = expected.bytes.filter(|expected| bytes != *expected) {
        return differs("bytes", &bytes, &expected);
    }
    if sha256 != expected.sha256 {
        return differs("SHA-256", &sha256, &expected.sha256);
    }
    if digest != expected.digest {
        return differs("digest", &digest, &expected.digest);
    }
    Ok(())
}

/// A file of `pg_dump --format=custom` begins with these letters.
fn archive(path: &Path) -> Result<(), String> {
    let mut magic = [0; 5];
    let read = std::fs::File::open(path).and_then(|mut f| f.read_exact(&mut magic));
    match read {
        Ok(()) if magic == *b"PGDMP" => Ok(()),
        Ok(()) => Err("it is no archive of pg_dump".to_owned()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err("missing".to_owned()),
        Err(e) => Err(e.to_string()),
    }
}
