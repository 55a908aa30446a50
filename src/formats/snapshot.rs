//! `manifest.json` of a snapshot.

use crate::catalog;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
    /// Tables that are not downloaded and hang together with one that is: by a foreign key, or as its partition.
    #[serde(default)]
    pub related: Vec<catalog::Table>,
    /// The merge ledger as of this snapshot; empty when there was none.
    #[serde(default)]
    pub ledger_tables: Vec<LedgerTable>,
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
    /// What a primary that was restored or rebuilt has otherwise. Not in snapshots of earlier versions.
    #[serde(default)]
    pub marks: Option<Marks>,
}

/// Where the server and the database stood; each only grows, or stays for the life of what it marks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marks {
    /// `pg_database.oid`: a database that was dropped and restored has another.
    pub database_oid: u32,
    /// Of the write-ahead log: each recovery from a backup, and each promotion, begins a new one.
    pub timeline: u32,
    /// How far the log had come; nothing in the snapshot was written after.
    pub wal: String,
    /// `pg_class.oid` of each downloaded table.
    pub tables: BTreeMap<String, u32>,
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

/// One table of the merge ledger, downloaded with the rest.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerTable {
    /// Its name in the schema his_emergency.
    pub table: String,
    /// Relative to the snapshot's directory.
    pub file: String,
    pub rows: u64,
    /// Of the CSV before compression.
    pub sha256: String,
    pub columns: Vec<String>,
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
