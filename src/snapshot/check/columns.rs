//! The columns that the profile names: are they there, and can they be what it says they are?

use super::{Checked, Finding, Pair};
use crate::catalog::{Catalog, Column};
use crate::db::{Client, Server, sql};
use crate::error::{Cannot, Result};
use crate::profile::{Numbers, Profile};
use minijinja::context;
use tokio_postgres::error::SqlState;

pub fn check(profile: &Profile, catalog: &Catalog, tables: &[Pair], checked: &mut Checked) {
    for pair in tables {
        named(pair, checked);
        omitted(pair, checked);
        if pair.entry.capture {
            key(pair, checked);
        }
        for column in pair.entry.money.iter().filter_map(|c| pair.table.column(c)) {
            if kind(column) == Kind::Other {
                let text = format!("money column '{}' is {} (expected numeric)", column.name, column.type_name);
                checked.error(Finding::of(pair.entry, text));
            }
        }
        for column in pair.entry.counter.iter().filter_map(|c| pair.table.column(c)) {
            if kind(column) != Kind::Number {
                let text = format!(
                    "counter column '{}' is {} (expected numeric or an integer)",
                    column.name, column.type_name
                );
                checked.error(Finding::of(pair.entry, text));
            }
        }
    }
    for numbers in &profile.numbers {
        if let Numbers::Jump { table, column, .. } | Numbers::Start { table, column, .. } = numbers
            && let Some(described) = catalog.get(table)
        {
            let what = format!("[[numbers]] '{table}.{column}'");
            match described.column(column) {
                None => checked.error(Finding::general(format!("{what}: there is no such column"))),
                Some(c) if !matches!(c.base_type.as_str(), "smallint" | "integer" | "bigint") => checked
                    .error(Finding::general(format!("{what}: the column is {} (expected an integer)", c.type_name))),
                Some(_) => {}
            }
        }
    }
}

/// Every column that a key of the `[[table]]` names. `omit` is the download's business, which tells it already.
fn named(pair: &Pair, checked: &mut Checked) {
    let entry = pair.entry;
    let lists = [
        ("key", &entry.key),
        ("money", &entry.money),
        ("group", &entry.group),
        ("personal", &entry.personal),
        ("counter", &entry.counter),
        ("ignore", &entry.ignore),
        ("same_as", &entry.same_as),
        ("once", &entry.once),
    ];
    let stamp = entry.stamp.iter().map(|(column, _)| ("stamp", column));
    let assign = entry.assign.iter().map(|(column, _)| ("assign", column));
    let guard = entry.guard.iter().map(|(column, _)| ("guard", column));
    let listed = lists.iter().flat_map(|(key, columns)| columns.iter().map(|c| (*key, c)));
    for (key, column) in listed.chain(stamp).chain(assign).chain(guard) {
        if pair.table.column(column).is_none() {
            checked.error(Finding::of(entry, format!("'{key}' names '{column}', which is no column of it")));
        } else if entry.omit.contains(column) && !matches!(key, "personal" | "ignore") {
            checked.error(Finding::of(entry, format!("'{key}' names '{column}', which 'omit' leaves out")));
        }
    }
}

fn omitted(pair: &Pair, checked: &mut Checked) {
    for column in pair.entry.omit.iter().filter_map(|c| pair.table.column(c)) {
        if column.not_null && column.default.is_none() && column.identity.is_empty() && !column.generated {
            let text = format!("'omit' names '{}', which must not be NULL and has no default", column.name);
            checked.error(Finding::of(pair.entry, text));
        }
    }
}

/// A captured row is found again by its key, so the key must be one.
fn key(pair: &Pair, checked: &mut Checked) {
    let (entry, table, key) = (pair.entry, pair.table, pair.key());
    if key.is_empty() {
        let text =
            "is captured but has no key: no primary key, and 'key' names none (expected the columns of a unique index)";
        checked.error(Finding::of(entry, text));
        return;
    }
    if entry.key.is_empty() {
        if let Some(column) = key.iter().find(|c| entry.omit.contains(c)) {
            checked.error(Finding::of(entry, format!("'omit' names '{column}', which is of its primary key")));
        }
        return;
    }
    let unique = table.uniques.iter().any(|u| u.plain && u.columns.iter().all(|c| key.contains(c)));
    if !unique {
        let text = format!("no unique index covers its key ({}): two rows may have the same", key.join(", "));
        checked.warning(Finding::of(entry, text));
    }
    let nullable = key.iter().filter_map(|c| table.column(c)).find(|c| !c.not_null);
    if let Some(column) = nullable {
        checked.warning(Finding::of(entry, format!("key column '{}' may be NULL", column.name)));
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Number,
    /// May hold an amount; its rows decide.
    Cast,
    Other,
}

fn kind(column: &Column) -> Kind {
    let base = column.base_type.split('(').next().unwrap_or_default().trim();
    match base {
        "numeric" | "smallint" | "integer" | "bigint" => Kind::Number,
        "money" | "real" | "double precision" | "text" | "character varying" | "character" => Kind::Cast,
        _ => Kind::Other,
    }
}

/// Money kept as text or float: reads the rows, because only they tell whether they are amounts.
pub fn amounts(tables: &[Pair], client: &mut Client, checked: &mut Checked) -> Result<()> {
    for pair in tables {
        let cast = pair.entry.money.iter().filter_map(|c| pair.table.column(c));
        let cast: Vec<&Column> = cast.filter(|c| kind(c) == Kind::Cast && c.base_type != "money").collect();
        if cast.is_empty() {
            continue;
        }
        let columns: Vec<String> = cast.iter().map(|c| c.name.clone()).collect();
        let text = sql::render(
            crate::sql!("snapshot/check/amounts.sql"),
            context! { table => pair.table.name.sql(), columns => columns.clone() },
        )?;
        let doing = || format!("look at the money columns of '{}'", pair.entry.name);
        client.batch_execute(crate::sql!("snapshot/check/begin.sql")).cannot(doing())?;
        let outcome = client.query_one(&text, &[]);
        client.batch_execute("ROLLBACK").cannot(doing())?;
        match outcome {
            Ok(row) => {
                for (_, column) in cast.iter().enumerate().filter(|(place, _)| row.get(*place)) {
                    let text = format!(
                        "money column '{}' is {} and holds values that are no amounts",
                        column.name, column.type_name
                    );
                    checked.error(Finding::of(pair.entry, text));
                }
            }
            Err(e) if unread(&e) => {
                let text = format!(
                    "money columns {} could not be read in time: they may hold what is no amount",
                    columns.join(", ")
                );
                checked.warning(Finding::of(pair.entry, text));
            }
            Err(e) => return Err(e).cannot(doing()),
        }
    }
    Ok(())
}

/// The rows could not be looked at: too many for a check, locked, or not ours to read (which is told elsewhere).
fn unread(error: &tokio_postgres::Error) -> bool {
    [SqlState::QUERY_CANCELED, SqlState::LOCK_NOT_AVAILABLE, SqlState::INSUFFICIENT_PRIVILEGE]
        .iter()
        .any(|code| error.code() == Some(code))
}

/// What the profile says in SQL (`where`, `assign`) is parsed where it will be run, with the database's own settings; so
/// are the comparisons that `same_as` and `once` want, which not every type has.
pub fn expressions(tables: &[Pair], server: &Server, checked: &mut Checked) -> Result<()> {
    let asks = |p: &Pair| {
        let e = p.entry;
        e.filter.is_some() || !(e.assign.is_empty() && e.same_as.is_empty() && e.once.is_empty())
    };
    if !tables.iter().any(asks) {
        return Ok(());
    }
    let mut client = server.clone().unset().connect()?;
    let mut parse = |pair: &Pair, what: String, text: &str| {
        if let Err(e) = client.prepare(text) {
            let reason = e.as_db_error().map_or_else(|| e.to_string(), |db| db.message().to_owned());
            checked.error(Finding::of(pair.entry, format!("{what} is refused by the server: {reason}")));
        }
    };
    for pair in tables {
        if let Some(filter) = &pair.entry.filter {
            let context = context! { table => pair.table.name.sql(), filter => filter.clone() };
            parse(pair, "'where'".to_owned(), &sql::render(crate::sql!("snapshot/check/filter.sql"), context)?);
        }
        for (column, expression) in &pair.entry.assign {
            let context = context! { expression => expression.clone() };
            let text = sql::render(crate::sql!("snapshot/check/expression.sql"), context)?;
            parse(pair, format!("'assign' of '{column}'"), &text);
        }
        let same_as = pair.entry.same_as.iter().map(|c| ("same_as", c));
        for (key, column) in same_as.chain(pair.entry.once.iter().map(|c| ("once", c))) {
            if pair.table.column(column).is_some() {
                let context = context! { table => pair.table.name.sql(), column => column.clone() };
                let text = sql::render(crate::sql!("snapshot/check/equal.sql"), context)?;
                parse(pair, format!("'{key}' of '{column}'"), &text);
            }
        }
    }
    Ok(())
}
