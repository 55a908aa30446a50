//! Official numbers given while merging: without gap, and each once.

use crate::catalog::{Catalog, Name};
use crate::cli::Site;
use crate::db::{Client, sql};
use crate::error::{Cannot, Result};
use minijinja::context;
use serde::Serialize;

/// Numbers of a range that nobody has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    pub first: String,
    pub last: String,
}

/// A number that stands for more than one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repeat {
    pub number: String,
    pub times: u64,
    /// given (by merges) or primary (on rows there).
    pub by: &'static str,
}

/// What an event was given of one kind of official number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Official {
    pub table: String,
    pub column: String,
    pub given: u64,
    pub first: String,
    pub last: String,
    /// Neither given nor used by the primary's own windows meanwhile.
    pub gaps: Vec<Missing>,
    pub repeats: Vec<Repeat>,
}

/// The official numbers of `event`, by table, column and what stands before their digits.
pub fn official(site: &Site, client: &mut Client, event: &str) -> Result<Vec<Official>> {
    let doing = "look through the official numbers";
    let catalog = Catalog::read(client)?;
    let mut kinds: Vec<Official> = Vec::new();
    let mut client = client.transaction().cannot(doing)?;
    client.query(crate::sql!("standby/own_path.sql"), &[]).cannot(doing)?;
    for row in client.query(crate::sql!("merge/numbers/given.sql"), &[&event]).cannot(doing)? {
        let (table, column, prefix): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let (first, last): (String, String) = (row.get(4), row.get(5));
        let width = usize::try_from(row.get::<_, i32>(6)).unwrap_or(0);
        let shown = |digits: &str| format!("{prefix}{digits:0>width$}");
        let mut official = Official {
            given: u64::try_from(row.get::<_, i64>(3)).unwrap_or(0),
            first: shown(&first),
            last: shown(&last),
            gaps: Vec::new(),
            repeats: Vec::new(),
            table,
            column,
        };
        let name = Name::parse(&official.table)?;
        // A column that is not there any more can only be told from the ledger.
        let there = catalog.get(&name).is_some_and(|t| t.column(&official.column).is_some());
        if there && site.profile.table(&name).is_some() {
            let context = context! { table => name.sql(), column => official.column.clone() };
            let text = sql::render(crate::sql!("merge/numbers/given_gaps.sql"), context.clone())?;
            let of = &official;
            let rows = client.query(&text, &[&of.table, &of.column, &prefix, &first, &last]).cannot(doing)?;
            let gaps = rows.iter().map(|r| Missing { first: shown(r.get(0)), last: shown(r.get(1)) }).collect();
            let text = sql::render(crate::sql!("merge/numbers/there_twice.sql"), context)?;
            let rows = client.query(&text, &[&event, &of.table, &of.column]).cannot(doing)?;
            let twice = rows.iter().map(|r| repeat(r.get(0), r.get(1), "primary"));
            let twice: Vec<Repeat> = twice.filter(|r| r.number.starts_with(&prefix)).collect();
            official.gaps = gaps;
            official.repeats = twice;
        }
        kinds.push(official);
    }
    for row in client.query(crate::sql!("merge/numbers/given_twice.sql"), &[&event]).cannot(doing)? {
        let (table, column): (&str, &str) = (row.get(0), row.get(1));
        let repeat = repeat(row.get(2), row.get(3), "given");
        if let Some(official) = kinds.iter_mut().find(|o| (o.table.as_str(), o.column.as_str()) == (table, column)) {
            official.repeats.push(repeat);
        }
    }
    client.rollback().cannot(doing)?;
    Ok(kinds)
}

fn repeat(number: String, times: i64, by: &'static str) -> Repeat {
    Repeat { number, times: u64::try_from(times).unwrap_or(0), by }
}
