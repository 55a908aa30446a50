//! The profile `his.toml`: the one file that fits the toolkit to a hospital's own HIS (design, section 5).

mod bouncer;
mod desk;
mod drill;
mod parse;
mod reader;
mod seal;
mod slip;
mod watch;

pub use bouncer::{Bouncer, EXPECTED_NAME, Place, can_be_asked_for};
pub use desk::{Desk, Paper as Printed};
pub use drill::Drill;
pub use reader::Mistake;
pub use slip::{Column, Form, OWN_FIELDS, Paper, Slip, Words};
pub use watch::{Check, Plan, Watch};

use crate::catalog::Name;
use crate::db::{Server, Side};
use crate::error::{Cannot, Error, Result};
use crate::formats::snapshot::Block;
use crate::seal::Keys;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What becomes of a conflict without a person: only `Hold` never decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    Hold,
    Primary,
    Standby,
}

/// Whose triggers do the work of a trigger when merging (design, section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Triggers {
    /// What the standby's triggers wrote is applied; the primary's stay silent.
    Replay,
    /// The primary's triggers do their work again; what the standby's wrote is left out.
    Refire,
}

/// How the primary is closed to the windows while the standby is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    Roles,
    Database,
    None,
}

/// What a table's marked columns are set to while merging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    Event,
    Batch,
    MergedAt,
}

#[derive(Debug, Clone)]
pub struct Site {
    pub name: String,
    /// Two to four letters or digits; part of every event id.
    pub code: String,
    pub timezone: String,
    pub language: String,
}

#[derive(Debug, Clone)]
pub struct Store {
    pub dir: PathBuf,
    pub mirror: Option<PathBuf>,
    /// Snapshots kept by `prune`: the newest so many, then one a day, one a week.
    pub keep_recent: u32,
    pub keep_daily: u32,
    pub keep_weekly: u32,
    pub compress: bool,
    /// How old the full snapshot may be that a delta stands on, at the end of its chain; zero: every snapshot is full.
    pub full_every: Duration,
    /// Codes of other sites whose snapshots this one may load: campuses of one primary.
    pub snapshots_of: Vec<String>,
    /// How long after an event was signed off its rows may be wiped; never without it.
    pub wipe_after: Option<Duration>,
}

#[derive(Debug, Clone)]
pub struct Limits {
    pub max_age: Duration,
    /// Percent of rows that a table may lose from one load to the next.
    pub max_shrink: i64,
    /// Percent of rows that may differ from one load to the next.
    pub max_change: i64,
    pub drain: Duration,
    pub fence: Duration,
}

/// How windows find the database.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub kind: &'static str,
    /// Executables run at each move, the event in their environment.
    pub hooks: Vec<PathBuf>,
}

/// One `[[table]]`.
#[derive(Debug, Clone)]
pub struct Table {
    pub name: Name,
    pub line: usize,
    pub capture: bool,
    pub scratch: bool,
    pub filter: Option<String>,
    pub omit: Vec<String>,
    /// Empty: the primary key.
    pub key: Vec<String>,
    pub money: Vec<String>,
    pub group: Vec<String>,
    pub personal: Vec<String>,
    pub counter: Vec<String>,
    pub ignore: Vec<String>,
    pub stamp: Vec<(String, Stamp)>,
    pub assign: Vec<(String, String)>,
    pub same_as: Vec<String>,
    pub once: Vec<String>,
    pub guard: Vec<(String, Vec<String>)>,
    pub part_of: Option<Name>,
    pub triggers: Triggers,
    pub on_conflict: OnConflict,
}

/// One `[[numbers]]`.
#[derive(Debug, Clone)]
pub enum Numbers {
    /// What the standby's sequence hands out, first and last number; the sequence as schema and name.
    Block { sequence: Name, first: i64, last: i64 },
    /// A number kept in a table, raised by `jump` at loading.
    Jump { table: Name, column: String, jump: i64 },
    /// A number kept in a table, set to `start` at loading.
    Start { table: Name, column: String, start: i64 },
}

/// One `[[report]]`: a question that reconcile asks the primary about what the event brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub name: String,
    /// The file with the query.
    pub sql: PathBuf,
    /// While it finds rows, the event is not signed off.
    pub must_end: bool,
    pub line: usize,
}

#[derive(Clone)]
pub struct Profile {
    /// The file it was read from, absolute.
    pub path: PathBuf,
    /// Of the file's bytes; manifests carry it.
    pub sha256: String,
    pub site: Site,
    primary_url: String,
    read_url: Option<String>,
    standby_url: String,
    pub fence: Fence,
    /// Roles that the HIS client logs in with; empty: every client but our own is a window.
    pub window_roles: Vec<String>,
    pub store: Store,
    pub limits: Limits,
    pub endpoint: Endpoint,
    /// Empty unless the endpoint's kind is `pgbouncer`.
    pub bouncers: Vec<Bouncer>,
    pub tables: Vec<Table>,
    pub numbers: Vec<Numbers>,
    pub reports: Vec<Report>,
    pub paper: Paper,
    pub slips: Vec<Slip>,
    pub desk: Desk,
    pub watch: Watch,
    pub checks: Vec<Check>,
    pub plan: Plan,
    pub drill: Drill,
    /// Of `[sign]` and `[encrypt]`.
    pub keys: Keys,
}

impl Profile {
    /// The profile named on the command line, else `$HIS_CONFIG`, `./his.toml`, `/etc/his/his.toml`.
    pub fn find(named: Option<&Path>) -> Result<Profile> {
        let from_env = std::env::var_os("HIS_CONFIG").map(PathBuf::from);
        match named.map(Path::to_path_buf).or(from_env) {
            Some(path) => Self::read(&path),
            None => {
                let places = [PathBuf::from("his.toml"), PathBuf::from("/etc/his/his.toml")];
                let found = places.into_iter().find(|p| p.exists()).ok_or_else(|| {
                    Error::usage("find a profile", "neither ./his.toml nor /etc/his/his.toml is there")
                        .hint("name one with --config FILE or in HIS_CONFIG; samples/his/his.toml is an example, his.toml(5) describes it.")
                })?;
                Self::read(&found)
            }
        }
    }

    /// Reads and checks one file; every mistake in it is in the error, a line each.
    pub fn read(path: &Path) -> Result<Profile> {
        let doing = format!("use the profile '{}'", path.display());
        let path = std::path::absolute(path).cannot(doing.clone())?;
        let bytes = std::fs::read(&path).cannot(doing.clone()).map_err(|e| e.with_exit(crate::Exit::Usage))?;
        let sha256 = crate::formats::hex(&Sha256::digest(&bytes));
        let text = String::from_utf8(bytes).map_err(|_| Error::usage(doing.clone(), "it is not UTF-8"))?;
        parse::profile(&text, path.clone(), sha256).map_err(|mistakes| {
            let list: Vec<String> = mistakes.iter().map(|m| format!("line {}: {}", m.line, m.text)).collect();
            let count = if list.len() == 1 { "1 mistake".to_owned() } else { format!("{} mistakes", list.len()) };
            Error::usage(doing, format!("{count}\n  {}", list.join("\n  ")))
                .hint("mend these lines of the profile; his.toml(5) describes each key.")
        })
    }

    pub fn primary(&self) -> Result<Server> {
        Server::parse(Side::Primary, &self.primary_url)
    }

    /// Where snapshots are read from: `read_url`, else the primary.
    pub fn download(&self) -> Result<Server> {
        Server::parse(Side::Primary, self.read_url.as_deref().unwrap_or(&self.primary_url))
    }

    pub fn standby(&self) -> Result<Server> {
        Server::parse(Side::Standby, &self.standby_url)
    }

    #[must_use]
    pub fn slip(&self, kind: &str) -> Option<&Slip> {
        self.slips.iter().find(|s| s.kind == kind)
    }

    #[must_use]
    pub fn table(&self, name: &Name) -> Option<&Table> {
        self.tables.iter().find(|t| t.name == *name)
    }

    /// The emergency number blocks.
    pub fn blocks(&self) -> impl Iterator<Item = Block> {
        self.numbers.iter().filter_map(|n| match n {
            Numbers::Block { sequence, first, last } => {
                Some(Block { sequence: sequence.clone(), first: *first, last: *last })
            }
            _ => None,
        })
    }

    pub fn captured(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter().filter(|t| t.capture)
    }

    /// Columns of `table` that a `[[numbers]]` keeps apart; they are never merged back.
    pub fn number_columns<'a>(&'a self, table: &'a Name) -> impl Iterator<Item = &'a str> {
        self.numbers.iter().filter_map(move |n| match n {
            Numbers::Jump { table: t, column, .. } | Numbers::Start { table: t, column, .. } if t == table => {
                Some(column.as_str())
            }
            _ => None,
        })
    }
}
