//! `manifest.json` of a snapshot.

use crate::catalog;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub const FORMAT: u32 = 1;
/// What a snapshot is and what is in it.
pub const MANIFEST: &str = "manifest.json";
/// `pg_dump --schema-only` in custom format, at the same database snapshot as the data.
pub const SCHEMA_FILE: &str = "schema.dump";

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: u32,
    pub snapshot: String,
    /// "full" or "delta".
    pub kind: String,
    pub parent: Option<String>,
    pub site: String,
    pub taken_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    pub by: String,
    pub host: String,
    pub profile_sha256: String,
    pub primary: Primary,
    pub ledger: Ledger,
    pub tables: Vec<Table>,
    pub sequences: Vec<Sequence>,
    pub settings: Vec<Setting>,
    pub roles: Vec<Role>,
    pub rows: u64,
    pub bytes: u64,
    pub seconds: f64,
}

/// The database that was downloaded.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Primary {
    pub system_identifier: String,
    pub database: String,
    /// `server_version_num`.
    pub server_version: u32,
    pub encoding: String,
    pub collate: String,
    pub ctype: String,
    /// "c" libc or "i" ICU (`pg_database.datlocprovider`).
    pub locale_provider: String,
    pub icu_locale: Option<String>,
    /// The database's own TimeZone and search_path, under which its functions run.
    pub timezone: String,
    pub search_path: String,
    /// `pg_current_snapshot()`: which transactions the snapshot sees.
    pub sees: String,
    /// The first transaction id after the snapshot; a primary whose counter is lower has been restored to an earlier day.
    pub next_xid: u64,
}

/// How far the primary's merge ledger had come in this snapshot; both 0 when there is no ledger yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// Highest epoch of an event in the ledger.
    pub epoch: u64,
    /// Highest `his_emergency.merge_run.run`.
    pub run: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// As the profile writes it.
    pub table: catalog::Name,
    /// Relative to the snapshot's directory.
    pub file: String,
    pub rows: u64,
    /// Of the CSV before compression.
    pub bytes: u64,
    pub sha256: String,
    /// See [`super::digest`].
    pub digest: String,
    /// Downloaded columns, in the order of the CSV.
    pub columns: Vec<String>,
    /// Settings under which the CSV was written and must be read: UTC and pg_catalog, or the database's own where a
    /// row filter is evaluated.
    pub timezone: String,
    pub search_path: String,
    pub described: catalog::Table,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    pub sequence: catalog::Name,
    pub last_value: i64,
    pub is_called: bool,
    pub increment: i64,
}

/// One `ALTER DATABASE … SET` (role empty) or `ALTER ROLE … IN DATABASE … SET`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    pub role: Option<String>,
    pub name: String,
    pub value: String,
}

/// A role that owns or is granted something in the database.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    pub name: String,
    pub login: bool,
    /// Roles it is a member of.
    pub member_of: Vec<String>,
}
