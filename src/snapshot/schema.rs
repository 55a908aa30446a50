//! The schema of the primary, by its own `pg_dump`, at the same database snapshot as the data.

use super::leader::LOCK_LIMIT;
use crate::db::{Server, programs};
use crate::error::{Cannot, Error, Result};
use crate::store::durable;
use std::path::Path;
use std::process::Command;

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
        .hint(format!("install the client programs of the server's version: apt-get install postgresql-client-{theirs}, then run again."))),
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

#[cfg(test)]
mod tests {
    #[test]
    fn the_major_version_is_found_in_what_pg_dump_says() {
        assert_eq!(super::major("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(super::major("pg_dump (PostgreSQL) 17beta2"), Some(17));
        assert_eq!(super::major("pg_dump"), None);
    }
}
