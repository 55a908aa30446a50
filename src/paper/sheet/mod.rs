//! A keyed file as slips, with everything that is wrong with it and needs no database to be seen.
//!
//! A row is a slip, or one line of a slip with lines; what belongs to the slip may be left blank on its further rows. Each
//! mistake is told at its line and field, and no slip is refused because of another.

pub mod double;
mod grid;
mod header;
mod reason;
pub mod rejects;
mod slips;
mod value;

pub use grid::Encoding;
pub use reason::Reason;

use super::Number;
use crate::error::{Error, Result};
use crate::formats::hex;
use crate::profile::Profile;
use chrono::NaiveDateTime;
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a slip or one of its lines says, by field, in canonical form.
pub type Values = BTreeMap<String, Option<String>>;

/// One slip as it was keyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed {
    /// Its first line in the file.
    pub line: usize,
    pub number: Number,
    /// In the site's own time.
    pub written_at: NaiveDateTime,
    pub values: Values,
    pub lines: Vec<KeyedLine>,
}

/// One line of a slip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedLine {
    pub line: usize,
    pub values: Values,
}

impl Keyed {
    /// SHA-256 of everything that the slip says: two keyings with the same are one slip.
    #[must_use]
    pub fn hash(&self, kind: &str) -> String {
        let mut digest = Sha256::new();
        // Each part with its length, so that no two slips read the same.
        let mut add = |text: &str| {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text.as_bytes());
        };
        [kind, &self.number.plain(), &self.written_at.to_string()].into_iter().for_each(&mut add);
        for values in std::iter::once(&self.values).chain(self.lines.iter().map(|l| &l.values)) {
            for (field, value) in values.iter().filter_map(|(f, v)| Some((f, v.as_ref()?))) {
                add(field);
                add(value);
            }
            add("");
        }
        hex(&digest.finalize())
    }
}

/// Something that is wrong with a slip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    pub line: usize,
    /// As it was keyed, or the number it stands for.
    pub slip_no: String,
    /// Empty: the slip as a whole.
    pub field: String,
    pub reason: Reason,
}

/// Rows of a file that belong to one slip, as they were keyed.
#[derive(Debug, Clone)]
struct Group {
    slip_no: String,
    rows: Vec<Vec<String>>,
}

/// A keyed file.
#[derive(Debug)]
pub struct Sheet {
    pub path: PathBuf,
    pub encoding: Encoding,
    /// Kind of its slips.
    pub kind: String,
    /// Slips in the file, good or not.
    pub read: usize,
    pub slips: Vec<Keyed>,
    pub rejects: Vec<Reject>,
    header: Vec<String>,
    groups: Vec<Group>,
    /// What the slips that are not good say, as far as it can be read.
    rest: Vec<Values>,
}

impl Sheet {
    /// What the slips that are not good come to in a column of money, as far as it can be read.
    #[must_use]
    pub fn total(&self, field: &str) -> Decimal {
        let amount = |v: &Values| v.get(field)?.as_deref()?.parse::<Decimal>().ok();
        self.rest.iter().filter_map(amount).sum()
    }
}

/// Reads a file of slips of one kind; `Err` when it cannot be read as such a file at all.
pub fn read(path: &Path, profile: &Profile) -> Result<Sheet> {
    let doing = format!("read '{}'", path.display());
    let grid = grid::read(path)?;
    let series: Vec<String> =
        profile.slips.iter().map(|s| Number::new(&s.prefix, &profile.site.code, 1).series).collect();
    let column = header::slip_no(&grid.header).ok_or_else(|| {
        Error::usage(doing.clone(), format!("it has no column '{}' (Slip no)", header::SLIP_NO[0]))
            .hint("the first line must hold the headers, as on the printed forms.")
    })?;
    let of = |row: &grid::Row| {
        let text = row.cells.get(column).map(grid::Cell::shown).unwrap_or_default();
        Number::parse(&text, &series).ok().map(|n| n.series)
    };
    let found: Vec<String> = grid.rows.iter().filter_map(of).collect();
    let slip = header::kind(profile, &found).ok_or_else(|| {
        Error::usage(doing.clone(), "no slip number in it can be read, so nobody knows which slips these are")
            .hint("numbers are printed on the slips, such as S01-000123-22; key them with all digits.")
    })?;
    let columns = header::of(&grid.header, slip, &doing)?;
    let taken = slips::take(&grid.rows, &columns, slip, &series, profile);
    Ok(Sheet {
        path: path.to_path_buf(),
        encoding: grid.encoding,
        kind: slip.kind.clone(),
        read: taken.groups.len(),
        slips: taken.slips,
        rejects: taken.rejects,
        header: grid.header,
        groups: taken.groups,
        rest: taken.rest,
    })
}
