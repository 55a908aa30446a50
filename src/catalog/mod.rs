//! What the tables of a database look like: columns, keys, references, triggers. Read from a server, kept in manifests.

use crate::db::Client;
use crate::error::{Cannot, Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use tokio_postgres::error::SqlState;

/// A table's name, schema and table apart, exactly as the server has them (no quotes, case kept).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Name {
    pub schema: String,
    pub name: String,
}

impl Name {
    /// Reads `schema.table` as SQL would: unquoted parts fold to lower case, `"Quoted Parts"` stay; a bare name is in `public`.
    pub fn parse(text: &str) -> Result<Name> {
        let parts = split_name(text).map_err(|why| {
            Error::usage(format!("read the table name '{text}'"), why)
                .hint(r#"write schema.table, quoting what is not lower case: 'public."tblClaim"'."#)
        })?;
        match <[String; 2]>::try_from(parts) {
            Ok([schema, name]) => Ok(Name { schema, name }),
            Err(parts) if parts.len() == 1 => Ok(Name { schema: "public".to_owned(), name: parts.concat() }),
            Err(parts) => Err(Error::usage(
                format!("read the table name '{text}'"),
                format!("it has {} parts, expected 2", parts.len()),
            )),
        }
    }

    /// Quoted for SQL: `"schema"."table"`.
    #[must_use]
    pub fn sql(&self) -> String {
        format!("{}.{}", crate::db::sql::ident(&self.schema), crate::db::sql::ident(&self.name))
    }
}

/// As people and profiles write it: quoted only where it must be.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |part: &str| {
            !part.starts_with(|c: char| c.is_ascii_digit())
                && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || !c.is_ascii())
        };
        let part = |part: &str| {
            if plain(part) { part.to_owned() } else { crate::db::sql::ident(part) }
        };
        write!(f, "{}.{}", part(&self.schema), part(&self.name))
    }
}

/// The parts of a dotted SQL name, unquoted and folded.
pub fn split_name(text: &str) -> Result<Vec<String>, String> {
    let (mut parts, mut chars) = (Vec::new(), text.trim().chars().peekable());
    loop {
        let mut part = String::new();
        if chars.next_if_eq(&'"').is_some() {
            loop {
                match chars.next() {
                    Some('"') if chars.next_if_eq(&'"').is_some() => part.push('"'),
                    Some('"') => break,
                    Some(c) => part.push(c),
                    None => return Err("a quote is not closed".to_owned()),
                }
            }
        } else {
            while let Some(c) = chars.next_if(|c| *c != '.') {
                if c.is_whitespace() || c == '"' || c == '\'' || c == ';' {
                    return Err(format!("the character {c:?} needs quotes around the part"));
                }
                part.push(c.to_ascii_lowercase());
            }
        }
        if part.is_empty() {
            return Err("a part is empty".to_owned());
        }
        parts.push(part);
        match chars.next() {
            None => return Ok(parts),
            Some('.') => {}
            Some(c) => return Err(format!("unexpected {c:?} after a quoted part")),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    /// As `format_type` gives it, domains by name.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The type beneath domains; what captured images and staging columns have.
    pub base_type: String,
    /// `pg_type.typtype`: b base, c composite, d domain, e enum, r range, m multirange.
    pub type_kind: String,
    pub not_null: bool,
    pub generated: bool,
    /// "always", "default" or "".
    pub identity: String,
    pub default: Option<String>,
    /// The sequence that a serial or identity column owns, quoted for SQL.
    pub sequence: Option<String>,
}

impl Column {
    /// The base type without its lengths.
    #[must_use]
    pub fn kind_of_type(&self) -> &str {
        self.base_type.split('(').next().unwrap_or_default()
    }

    /// No setting of a session changes how its values look as text, as DateStyle and its like do with others.
    #[must_use]
    pub fn is_same_text_everywhere(&self) -> bool {
        const TYPES: [&str; 9] =
            ["smallint", "integer", "bigint", "numeric", "text", "character varying", "character", "uuid", "boolean"];
        TYPES.contains(&self.kind_of_type())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unique {
    pub name: String,
    pub primary: bool,
    /// No expression and no predicate: can be compared column by column.
    pub plain: bool,
    pub immediate: bool,
    /// Real columns only; what an expression is made of is not among them.
    pub columns: Vec<String>,
    /// What must be unique, as SQL over the table's columns: quoted names, or expressions.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Rows that the rule is for, as SQL over the table's columns; all when there is none.
    #[serde(default)]
    pub predicate: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    pub name: String,
    pub columns: Vec<String>,
    pub to_schema: String,
    pub to_name: String,
    pub to_columns: Vec<String>,
    /// "cascade", "set null", "set default" or "" (no action, restrict).
    pub on_delete: String,
    pub on_update: String,
    pub match_full: bool,
    pub validated: bool,
    pub deferrable: bool,
}

impl ForeignKey {
    #[must_use]
    pub fn to(&self) -> Name {
        Name { schema: self.to_schema.clone(), name: self.to_name.clone() }
    }

    /// True when the server itself writes referencing rows because of this key.
    #[must_use]
    pub fn cascades(&self) -> bool {
        !self.on_delete.is_empty() || !self.on_update.is_empty()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    pub name: String,
    pub function: String,
    /// "before", "after" or "instead of".
    pub timing: String,
    pub row: bool,
    pub events: String,
    pub enabled: bool,
    /// The function's text can return NULL, or cannot be read: a BEFORE ROW trigger may then suppress the row.
    pub may_return_null: bool,
}

/// One table, or one partition of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    #[serde(flatten)]
    pub name: Name,
    pub partitioned: bool,
    /// The partitioned table that this one is a part of.
    pub parent: Option<Name>,
    pub owner: String,
    pub row_security: bool,
    pub estimated_rows: i64,
    pub columns: Vec<Column>,
    pub uniques: Vec<Unique>,
    pub foreign_keys: Vec<ForeignKey>,
    pub triggers: Vec<Trigger>,
}

impl Table {
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// A whole number that no two rows have alike and that every row has: the primary key, or another.
    #[must_use]
    pub fn number_key(&self) -> Option<&str> {
        self.row_keys().find_map(|key| {
            let [name] = key else { return None };
            let column = self.column(name)?;
            matches!(column.base_type.as_str(), "smallint" | "integer" | "bigint").then_some(name.as_str())
        })
    }

    /// Columns that tell every row from all others: the primary key, or another.
    #[must_use]
    pub fn row_key(&self) -> Option<&[String]> {
        self.row_keys().next()
    }

    fn row_keys(&self) -> impl Iterator<Item = &[String]> {
        let mut plain: Vec<&Unique> = self.uniques.iter().filter(|u| u.plain && u.predicate.is_none()).collect();
        plain.sort_by_key(|u| !u.primary);
        let filled = |u: &&Unique| u.columns.iter().all(|c| self.column(c).is_some_and(|c| c.not_null));
        plain.into_iter().filter(filled).map(|u| u.columns.as_slice())
    }

    /// Columns of the primary key, if there is one.
    #[must_use]
    pub fn primary_key(&self) -> Option<&[String]> {
        self.uniques.iter().find(|u| u.primary).map(|u| u.columns.as_slice())
    }
}

/// All tables of one database.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    tables: std::collections::BTreeMap<Name, Table>,
}

impl Catalog {
    /// Reads the catalog under the session's current transaction, if there is one.
    ///
    /// The server shows an index or a default only when nobody changes the structure of its table: that is waited for, but
    /// never longer than 3 s (4 then, and the table is named where that can still be asked).
    pub fn read(client: &mut impl crate::db::GenericClient) -> Result<Catalog> {
        let doing = "read the structure of the tables";
        let wait = |client: &mut _, limit: &str| -> Result<String> { lock_limit(client, limit).cannot(doing) };
        let before = wait(client, LOCK_LIMIT)?;
        let rows = match client.query(crate::sql!("catalog/tables.sql"), &[]) {
            Err(e) if e.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => return Err(changing(client, &before, doing)),
            rows => rows.cannot(doing)?,
        };
        wait(client, &before)?;
        let mut tables = std::collections::BTreeMap::new();
        for row in rows {
            let table: Table =
                serde_json::from_str(row.get::<_, &str>(0)).cannot("understand the catalog of the database")?;
            tables.insert(table.name.clone(), table);
        }
        Ok(Catalog { tables })
    }

    /// The catalog of these tables, as a manifest keeps them.
    #[must_use]
    pub fn of(tables: impl IntoIterator<Item = Table>) -> Catalog {
        Catalog { tables: tables.into_iter().map(|t| (t.name.clone(), t)).collect() }
    }

    pub fn read_from(client: &mut Client) -> Result<Catalog> {
        Self::read(client)
    }

    #[must_use]
    pub fn get(&self, name: &Name) -> Option<&Table> {
        self.tables.get(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Table> {
        self.tables.values()
    }

    /// The topmost partitioned table above `table`; the table itself when it is no partition.
    #[must_use]
    pub fn root<'a>(&'a self, table: &'a Table) -> &'a Table {
        let mut top = table;
        while let Some(parent) = top.parent.as_ref().and_then(|p| self.get(p)) {
            top = parent;
        }
        top
    }

    /// Where rows of `table` really lie: its leaf partitions, or itself.
    #[must_use]
    pub fn leaves<'a>(&'a self, table: &'a Table) -> Vec<&'a Table> {
        if !table.partitioned {
            return vec![table];
        }
        self.iter().filter(|t| t.parent.as_ref() == Some(&table.name)).flat_map(|t| self.leaves(t)).collect()
    }

    /// Foreign keys of any table that reference `name`, with the referencing table.
    pub fn references_to<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = (&'a Table, &'a ForeignKey)> {
        self.iter().flat_map(|t| t.foreign_keys.iter().map(move |f| (t, f))).filter(move |(_, f)| f.to() == *name)
    }
}

/// Longest wait for whoever changes a table's structure.
const LOCK_LIMIT: &str = "3 s";

fn lock_limit(
    client: &mut impl crate::db::GenericClient,
    limit: &str,
) -> std::result::Result<String, tokio_postgres::Error> {
    client.query_one(crate::sql!("catalog/lock_limit.sql"), &[&limit]).map(|row| row.get(0))
}

/// The refusal (4) when a structure is being changed. In a transaction that the wait has broken, nothing can be asked any more.
fn changing(client: &mut impl crate::db::GenericClient, before: &str, doing: &str) -> Error {
    let found = lock_limit(client, before).and_then(|_| client.query_opt(crate::sql!("catalog/changing.sql"), &[]));
    let table = found.ok().flatten().map(|row| Name { schema: row.get(0), name: row.get(1) });
    let what = table.map_or_else(|| "a table".to_owned(), |name| format!("'{name}'"));
    Error::refused(doing, format!("somebody changes the structure of {what} (DDL): no lock within {LOCK_LIMIT}"))
        .hint("nothing was changed; run the same command again when that change is done.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_and_quote_as_sql_does() {
        let name = Name::parse(r#"Public."tblClaim""#).unwrap();
        assert_eq!((name.schema.as_str(), name.name.as_str()), ("public", "tblClaim"));
        assert_eq!(name.to_string(), r#"public."tblClaim""#);
        assert_eq!(Name::parse("门诊.挂号").unwrap().to_string(), "门诊.挂号");
        assert_eq!(Name::parse("sms_skd").unwrap().to_string(), "public.sms_skd");
        assert!(Name::parse("a.b.c").is_err());
        assert!(Name::parse("a..c").is_err());
        assert!(Name::parse(r#""open"#).is_err());
    }
}
