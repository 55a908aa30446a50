//! `manifest.json` of a snapshot.

use crate::catalog;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

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
    pub kind: Kind,
    /// Of a delta: the snapshot that it stands on.
    pub parent: Option<String>,
    /// SHA-256 of the parent's `SHA256SUMS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_sha256: Option<String>,
    /// The full snapshot at the beginning of its chain, and how many deltas there are to this one. Of a delta only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Chain>,
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
    /// SHA-256 of the schema as SQL, without what differs from one dump to the next. Not in snapshots of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_sha256: Option<String>,
    /// Emergency numbers that the site which took it hands out; another site that loads it must have others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<Block>,
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

impl Manifest {
    /// Rows of all tables on the primary; in a full snapshot, the rows that it has.
    #[must_use]
    pub fn rows_there(&self) -> u64 {
        self.tables.iter().map(Table::rows_there).sum()
    }

    /// All data files that it names.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let parts = self.tables.iter().flat_map(Table::parts).map(|part| &part.file);
        let ledger = self.ledger_tables.iter().map(|t| &t.file);
        self.tables.iter().map(|t| &t.file).chain(parts).chain(ledger).map(String::as_str)
    }
}

/// One `[[numbers]]` block of a profile: the first number and the last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    pub sequence: catalog::Name,
    pub first: i64,
    pub last: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Every row of its tables.
    Full,
    /// What changed since its parent.
    Delta,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Full => "full",
            Kind::Delta => "delta",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// Id of the full snapshot.
    pub full: String,
    /// 1 for the first delta on it.
    pub place: u64,
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
    /// When the server was started, and when it last recovered from a crash; only ever compared. Not in snapshots of
    /// earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// Of each downloaded table, a hash of which partitions it has and of the numbers of its columns; none of a table that
    /// does not keep its rows as the server does by itself. Not in snapshots of earlier versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shapes: BTreeMap<String, String>,
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
    /// Which keys the table has in this snapshot: what a delta is made against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub census: Option<Census>,
    /// How a delta's rows are to be taken; `file` has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<Delta>,
}

impl Table {
    /// Rows of the table on the primary.
    #[must_use]
    pub fn rows_there(&self) -> u64 {
        self.delta.as_ref().map_or(self.rows, |d| d.rows_there)
    }

    /// Its files beside the rows.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        let delta = self.delta.iter().flat_map(|d| d.gone.iter().chain(&d.proof));
        self.census.iter().map(|c| &c.part).chain(delta)
    }
}

/// A file beside the rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Relative to the snapshot's directory.
    pub file: String,
    /// Records in it, its header apart.
    pub rows: u64,
    /// Of the CSV before compression.
    pub sha256: String,
    /// See [`super::digest`].
    pub digest: String,
}

/// A file that says which keys a table has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Census {
    pub part: Part,
    /// Columns of the key.
    pub key: Vec<String>,
    /// `None`: the key is a whole number, and the file a [`super::census`]. Else the keys' hashes are masked with this, and
    /// the file is a [`super::tally`].
    pub mask: Option<i64>,
}

/// What happened to a table since the parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delta {
    pub how: How,
    /// Rows of the table on the primary.
    pub rows_there: u64,
    /// With [`How::Changed`]: keys of the rows that are gone; or, of a key that is hashed, pages of which `file` has every row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Part>,
    /// Rows that are on both sides, whether they changed or not: what is on the standby must be the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// Nothing changed; `file` has no row.
    Same,
    /// `file` has the rows that are new or were written again.
    Changed,
    /// `file` has all rows.
    Whole,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    pub role: Option<String>,
    pub name: String,
    pub value: String,
}

/// A role that owns or is granted something in the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    pub name: String,
    pub login: bool,
    /// Roles it is a member of.
    pub member_of: Vec<String>,
}
