//! The schema of the primary, by its own `pg_dump`, at the same database snapshot as the data.

use super::leader::LOCK_LIMIT;
use crate::db::{Server, programs};
use crate::error::{Cannot, Error, Result};
use crate::formats::hex;
use crate::store::durable;
use sha2::{Digest as _, Sha256};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

const DOING: &str = "dump the schema of the primary";

/// Refuses a `pg_dump` that is older than the server, before anything else is done.
pub fn require_version(server_version: u32) -> Result<()> {
    let program = programs::find("pg_dump")?;
    let output = Command::new(&program).arg("--version").output().cannot(format!("run '{}'", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (ours, theirs) = (major(&text), server_version / 10_000);
    match ours {
        Some(ours) if ours >= theirs => Ok(()),
        Some(ours) => Err(Error::failed(
            DOING,
            format!("'{}' is of PostgreSQL {ours}, the server of {theirs} (expected {theirs} or newer)", program.display()),
        )
        .hint(format!("install the client programs of the server's version: apt-get install postgresql-client-{theirs} (or put them first on PATH), then run again."))),
        None => Err(Error::failed(DOING, format!("'{}' does not say its version", program.display()))),
    }
}

/// `pg_dump (PostgreSQL) 15.18 (Debian …)` → 15.
fn major(text: &str) -> Option<u32> {
    let number = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Writes `schema.dump`. Subscriptions and publications stay behind: a standby must not begin to replicate.
pub fn dump(server: &Server, application: &str, snapshot: &str, path: &Path) -> Result<()> {
    let server = server.clone().named(application);
    // pg_dump would make it readable for all.
    durable::create_file(path).cannot(format!("write '{}'", path.display()))?;
    let limit = format!("--lock-wait-timeout={}", LOCK_LIMIT.as_millis());
    let snapshot = format!("--snapshot={snapshot}");
    let file = format!("--file={}", path.display());
    let arguments = [
        "--format=custom",
        "--schema-only",
        "--encoding=UTF8",
        "--exclude-schema=his_emergency",
        "--no-publications",
        "--no-subscriptions",
        "--no-password",
        &limit,
        &snapshot,
        &file,
    ];
    let output = programs::run("pg_dump", &server, server.database(), &arguments, DOING);
    output.map(drop).map_err(|e| {
        let text = e.to_string();
        // It sets --lock-wait-timeout as a statement timeout, and no other.
        if text.contains("statement timeout") || text.contains("lock timeout") {
            let seconds = LOCK_LIMIT.as_secs();
            Error::refused(DOING, format!("somebody changes the structure of a table (DDL): no lock within {seconds} s"))
                .hint("nothing was taken; run his-snapshot again when that change is done.")
        } else if text.contains("permission denied") {
            e.hint("pg_dump must lock every table of the database: grant the role of [primary] url SELECT on the table named above (pg_read_all_data gives it on all).")
        } else {
            e
        }
    })
}

/// SHA-256 of a `schema.dump` as SQL: the same as long as nobody changes the schema.
pub fn sha256(path: &Path) -> Result<String> {
    let doing = "compare the schema with that of the last snapshot";
    let mut command = Command::new(programs::find("pg_restore")?);
    let mut running = command
        .arg("--file=-")
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .cannot(doing)?;
    let mut hash = Sha256::new();
    if let Some(output) = running.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line.cannot(doing)?;
            if !TELLS_NOTHING.iter().any(|beginning| line.starts_with(beginning)) {
                hash.update(&line);
                hash.update(b"\n");
            }
        }
    }
    match running.wait().cannot(doing)? {
        ended if ended.success() => Ok(hex(&hash.finalize())),
        ended => Err(Error::failed(doing, format!("pg_restore ended with {ended}"))),
    }
}

/// Lines of a dump that differ from one dump to the next.
const TELLS_NOTHING: [&[u8]; 3] = [b"-- Dumped ", b"\\restrict ", b"\\unrestrict "];

#[cfg(test)]
mod tests {
    #[test]
    fn the_major_version_is_found_in_what_pg_dump_says() {
        assert_eq!(super::major("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(super::major("pg_dump (PostgreSQL) 17beta2"), Some(17));
        assert_eq!(super::major("pg_dump"), None);
    }
}
