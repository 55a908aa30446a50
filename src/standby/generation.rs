//! Generations: databases of the standby server, each loaded from one snapshot.

use crate::db::{Client, Server};
use crate::error::{Cannot, Error, Result};
use crate::formats::snapshot;
use chrono::{DateTime, Utc};
use tokio_postgres::error::SqlState;

/// The generation number of the empty closed database that `init` makes.
pub const CLOSED_DATABASE: u64 = 0;

/// How a generation's gate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    Closed,
    Open,
    /// The server died while open; shut until `his-switch standby` confirms it.
    DiedOpen,
}

/// One standby database of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    pub database: String,
    pub number: u64,
    pub site: String,
    pub snapshot: Option<String>,
    pub snapshot_sha256: Option<String>,
    /// Where its data ends.
    pub taken_at: Option<DateTime<Utc>>,
    /// How far the primary's merge ledger had come in its snapshot.
    pub ledger_run: u64,
    pub primary_system: Option<String>,
    pub rows: u64,
    pub loaded_at: DateTime<Utc>,
    pub verified: bool,
    pub retired: bool,
    pub opened_event: Option<String>,
    /// The delta that a rollback took away again.
    pub rolled_back: Option<String>,
    pub gate: Gate,
    pub epoch: u64,
}

impl Generation {
    /// Database name of generation `number`.
    #[must_use]
    pub fn database_name(standby: &str, number: u64) -> String {
        format!("{standby}_g{number}")
    }

    /// Its name while it is being loaded.
    #[must_use]
    pub fn loading_name(standby: &str, number: u64) -> String {
        format!("{standby}_g{number}_loading")
    }

    /// Reads what the database of `client` is; `None` when it is not one of ours.
    pub fn read(client: &mut Client, database: &str) -> Result<Option<Generation>> {
        let row = match client.query_opt(crate::sql!("standby/generation.sql"), &[]) {
            Err(e)
                if e.code() == Some(&SqlState::UNDEFINED_TABLE) || e.code() == Some(&SqlState::INVALID_SCHEMA_NAME) =>
            {
                return Ok(None);
            }
            other => other.cannot(format!("read what the standby database '{database}' is"))?,
        };
        let Some(row) = row else { return Ok(None) };
        let number = |column| u64::try_from(row.get::<_, i64>(column)).unwrap_or(0);
        Ok(Some(Generation {
            database: database.to_owned(),
            number: number("generation"),
            site: row.get("site"),
            snapshot: row.get("snapshot"),
            snapshot_sha256: row.get("snapshot_sha256"),
            taken_at: row.get("taken_at"),
            ledger_run: number("ledger_run"),
            primary_system: row.get("primary_system"),
            rows: number("rows"),
            loaded_at: row.get("loaded_at"),
            verified: row.get("verified"),
            retired: row.get("retired"),
            opened_event: row.get("opened_event"),
            rolled_back: row.get("rolled_back"),
            gate: match row.get::<_, &str>("gate") {
                "closed" => Gate::Closed,
                "open" => Gate::Open,
                _ => Gate::DiedOpen,
            },
            epoch: number("epoch"),
        }))
    }

    /// The database that has the standby's name now; `None` before `init`.
    pub fn current(standby: &Server) -> Result<Option<Generation>> {
        let name = standby.database().to_owned();
        Ok(Self::all(standby)?.into_iter().find(|g| g.database == name))
    }

    /// All finished generations of the standby server and the closed database, oldest first. Databases that are still
    /// being loaded, or were left by a killed load, are not among them.
    pub fn all(standby: &Server) -> Result<Vec<Generation>> {
        let mut found = Vec::new();
        for database in databases(standby)? {
            if database.ends_with("_loading") {
                continue;
            }
            let generation = match standby.connect_to(&database) {
                Ok(mut client) => Self::read(&mut client, &database)?,
                // A load may have dropped it since the list was made.
                Err(_) if !databases(standby)?.contains(&database) => None,
                Err(e) => return Err(e),
            };
            found.extend(generation);
        }
        found.sort_by_key(|g| g.number);
        Ok(found)
    }

    /// The generation that the next opening would take: the newest that is verified and not rolled back.
    #[must_use]
    pub fn newest(all: &[Generation]) -> Option<&Generation> {
        all.iter().filter(|g| g.verified && !g.retired && g.number != CLOSED_DATABASE).max_by_key(|g| g.number)
    }
}

/// Names of all databases on the standby server that are or may be ours, unfinished loads included.
pub fn databases(standby: &Server) -> Result<Vec<String>> {
    let mut client = standby.connect_to("postgres")?;
    let rows = client
        .query(crate::sql!("standby/databases.sql"), &[&standby.database()])
        .cannot("list the standby's databases")?;
    Ok(rows.iter().map(|r| r.get(0)).collect())
}

/// Writes into a fresh database which generation it is and of which snapshot.
pub fn record(
    client: &mut impl crate::db::GenericClient,
    number: u64,
    site: &str,
    of: Option<(&snapshot::Manifest, &str)>,
    verified: bool,
) -> Result<()> {
    let signed =
        |n: u64| i64::try_from(n).map_err(|_| Error::failed("record the generation", format!("{n} is too large")));
    let (manifest, sha256) = of.unzip();
    let written = client.execute(
        crate::sql!("standby/record_generation.sql"),
        &[
            &signed(number)?,
            &site,
            &manifest.map(|m| m.snapshot.as_str()),
            &sha256,
            &manifest.map(|m| m.taken_at),
            &signed(manifest.map_or(0, |m| m.ledger.run))?,
            &manifest.map(|m| m.primary.system_identifier.as_str()),
            &signed(manifest.map_or(0, snapshot::Manifest::rows_there))?,
            &verified,
        ],
    );
    written.cannot(format!("record generation {number}")).map(drop)
}
