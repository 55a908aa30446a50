//! The rules of the primary that tie rows together: keys, unique rules, references, and what the profile adds to them.
//!
//! A value under a rule is staged as one number, so that a million of them can be sorted and joined. The number is made
//! by the type's own hash where it has one, so what the server calls equal is equal here too.

use super::target::Target;
use crate::catalog::{self, Catalog, ForeignKey, Name};
use crate::db::sql::{ident, literal};
use crate::profile::{self, Profile};
use serde::Serialize;

/// A column of the images, by position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Key {
    pub i: usize,
    pub name: String,
    #[serde(rename = "type")]
    pub type_name: String,
}

/// A unique rule other than the key, or the columns that something references: its value in both images of `s`.
#[derive(Debug, Clone, Serialize)]
#[expect(clippy::struct_field_names, reason = "the templates know it by this name")]
pub struct Rule {
    pub rule: usize,
    pub old: String,
    pub new: String,
    /// Each change of the row counts, not only that of the value: something is part of the row by this rule.
    pub document: bool,
    /// As [`deciding`] says.
    pub columns: Vec<usize>,
}

/// A reference to a captured table: its value in both images of `s`, under the rule of what it references.
#[derive(Debug, Clone, Serialize)]
pub struct Refer {
    pub rule: usize,
    pub old: String,
    pub new: String,
    pub document: bool,
    pub guard: bool,
    /// As [`deciding`] says.
    pub columns: Vec<usize>,
}

/// A foreign key of the table.
#[derive(Debug, Clone, Serialize)]
pub struct Reference {
    pub name: String,
    pub columns: Vec<Key>,
    pub to_table: String,
    pub to_name: String,
    pub to_columns: Vec<String>,
    /// 0 when the parent is not captured.
    pub rule: usize,
    pub new: String,
    /// Looked at when the transaction ends: only what the unit leaves standing counts.
    pub deferrable: bool,
}

/// A foreign key of another table that references this one.
#[derive(Debug, Clone, Serialize)]
pub struct ReferencedBy {
    pub name: String,
    pub from_table: String,
    pub from_name: String,
    pub from_columns: Vec<String>,
    pub columns: Vec<Key>,
    /// Number of the referencing table among those staged, 0 when it is not; its key as a number, of a row `c`; and the
    /// positions of its referencing columns.
    pub from_no: usize,
    pub from_key: String,
    pub from_positions: Vec<usize>,
    /// The referenced columns as a rule, and their value in the old image.
    pub rule: usize,
    pub old: String,
}

/// A unique rule to be asked on the primary.
#[derive(Debug, Clone, Serialize)]
pub struct Unique {
    pub rule: usize,
    pub name: String,
    /// SQL over the columns of the table by name.
    pub keys: Vec<String>,
    pub predicate: Option<String>,
    pub old: String,
    pub new: String,
    /// As [`deciding`] says; none of a rule with expressions or a predicate.
    pub deciding: Vec<usize>,
}

/// A parent whose columns must be as the standby knew them.
#[derive(Debug, Clone, Serialize)]
pub struct Watch {
    pub column: String,
    pub name: String,
    pub to_table: String,
    pub to_name: String,
    pub columns: Vec<Key>,
    pub to_columns: Vec<String>,
    pub watched: Vec<String>,
    pub rule: usize,
    pub new: String,
    /// Columns of the parent, for its image.
    pub to_all: Vec<String>,
}

/// Columns of this table that a guard of another watches.
#[derive(Debug, Clone, Serialize)]
pub struct Watched {
    pub rule: usize,
    pub old: String,
    pub columns: Vec<Key>,
}

/// `same_as` or `once`: which other rows are looked for.
#[derive(Debug, Clone, Serialize)]
pub struct Search {
    /// "same_as", or the column of a `once`.
    pub name: String,
    pub once: bool,
    pub columns: Vec<Key>,
}

/// Numbers of the rules: a rule is named by its table and columns, so that a reference finds it whatever the index is called.
#[derive(Debug, Default)]
pub struct Rules {
    known: Vec<(Name, Vec<String>)>,
    documents: Vec<usize>,
    watched: Vec<(usize, Name, Vec<String>, Vec<String>)>,
}

impl Rules {
    pub fn of(&mut self, table: &Name, columns: &[String]) -> usize {
        let at = self.known.iter().position(|(t, c)| t == table && c == columns).unwrap_or_else(|| {
            self.known.push((table.clone(), columns.to_vec()));
            self.known.len() - 1
        });
        at + 1
    }
}

/// Types whose equality their own hash follows; of others the text is hashed.
fn hashes(type_name: &str) -> bool {
    const OWN: [&str; 15] = [
        "smallint",
        "integer",
        "bigint",
        "text",
        "uuid",
        "date",
        "boolean",
        "bytea",
        "oid",
        "character varying",
        "character",
        "numeric",
        "timestamp",
        "time",
        "citext",
    ];
    let plain = type_name.rsplit('.').next().unwrap_or(type_name);
    let name = plain.split('(').next().unwrap_or(plain).trim();
    !type_name.ends_with("[]")
        && OWN.iter().any(|own| name == *own || (name.starts_with(own) && name[own.len()..].starts_with(' ')))
}

/// One number of several values.
pub fn hash<'a>(parts: impl IntoIterator<Item = (String, &'a str)>) -> String {
    let parts: Vec<String> =
        parts.into_iter().map(|(e, t)| if hashes(t) { e } else { format!("({e})::text") }).collect();
    format!("hash_record_extended(ROW({}), 0)", parts.join(", "))
}

fn value(image: char, columns: &[Key], types: &[String]) -> String {
    let part = |k: &Key, t: &String| {
        let own = format!("s.{image}{}", k.i);
        if *t == k.type_name { own } else { format!("{own}::{t}") }
    };
    let there: Vec<String> = columns.iter().map(|k| format!("s.{image}{} IS NOT NULL", k.i)).collect();
    let parts = columns.iter().zip(types).map(|(k, t)| (part(k, t), t.as_str()));
    format!("CASE WHEN {} THEN {} END", there.join(" AND "), hash(parts))
}

/// The value of a rule with expressions or a predicate, over the image by column names.
fn named_value(target: &Target, image: char, keys: &[String], predicate: Option<&str>) -> String {
    let columns: Vec<String> =
        target.columns.iter().map(|c| format!("s.{image}{} AS {}", c.i, ident(&c.name))).collect();
    let there: Vec<String> = keys.iter().map(|k| format!("({k}) IS NOT NULL")).collect();
    let parts: Vec<String> = keys.iter().map(|k| format!("({k})::text")).collect();
    format!(
        "(SELECT CASE WHEN {} AND ({}) THEN hash_record_extended(ROW({}), 0) END FROM (SELECT {}) image)",
        there.join(" AND "),
        predicate.unwrap_or("true"),
        parts.join(", "),
        columns.join(", ")
    )
}

/// Positions of the columns without a change of which a value over `columns` stays as it is; empty when that cannot be told by
/// what is noted as changed, which leaves generated columns out.
fn deciding(target: &Target, columns: &[Key]) -> Vec<usize> {
    let noted = columns.iter().all(|k| target.columns.iter().any(|c| c.i == k.i && c.data));
    if noted { columns.iter().map(|k| k.i).collect() } else { Vec::new() }
}

fn types(table: &catalog::Table, columns: &[String]) -> Vec<String> {
    columns.iter().map(|c| table.column(c).map_or_else(String::new, |c| c.base_type.clone())).collect()
}

/// Fills in what ties the rows of `target` to others.
#[expect(clippy::too_many_arguments, reason = "both sides of each reference are needed")]
pub fn connect(
    target: &mut Target,
    described: &catalog::Table,
    entry: &profile::Table,
    all: &[Target],
    names: &[(Name, usize)],
    catalog: &Catalog,
    profile: &Profile,
    rules: &mut Rules,
) {
    for key in &described.foreign_keys {
        let Some(columns) = target.keys(&key.columns) else { continue };
        let Some(parent) = catalog.get(&key.to()) else { continue };
        let to = catalog.root(parent).name.clone();
        let captured = profile.table(&to).is_some_and(|t| t.capture);
        let types = types(parent, &key.to_columns);
        let rule = if captured { rules.of(&to, &key.to_columns) } else { 0 };
        let (old, new) = (value('o', &columns, &types), value('n', &columns, &types));
        let watched = entry.guard.iter().find(|(c, _)| key.columns.contains(c));
        if captured {
            let document = entry.part_of.as_ref() == Some(&to);
            if document {
                rules.documents.push(rule);
            }
            let deciding = deciding(target, &columns);
            let guard = watched.is_some();
            target.refers.push(Refer { rule, old, new: new.clone(), document, guard, columns: deciding });
        }
        if let Some((column, list)) = watched {
            rules.watched.push((rule, to.clone(), key.to_columns.clone(), list.clone()));
            target.watches.push(Watch {
                column: column.clone(),
                name: key.name.clone(),
                to_table: key.to().sql(),
                to_name: to.to_string(),
                columns: columns.clone(),
                to_columns: key.to_columns.clone(),
                watched: list.clone(),
                rule,
                new: new.clone(),
                to_all: parent.columns.iter().map(|c| c.name.clone()).collect(),
            });
        }
        target.references.push(Reference {
            name: key.name.clone(),
            columns,
            to_table: key.to().sql(),
            to_name: to.to_string(),
            to_columns: key.to_columns.clone(),
            rule,
            new,
            deferrable: key.deferrable,
        });
    }
    for (from, key) in catalog.references_to(&target.of) {
        if let Some(by) = referenced_by(target, from, key, all, names, catalog, rules) {
            target.referenced_by.push(by);
        }
    }
    let mut searches: Vec<(String, bool, Vec<String>)> =
        entry.once.iter().map(|c| (c.clone(), true, vec![c.clone()])).collect();
    if !entry.same_as.is_empty() {
        searches.insert(0, ("same_as".to_owned(), false, entry.same_as.clone()));
    }
    for (name, once, columns) in searches {
        if let Some(columns) = target.keys(&columns) {
            target.searches.push(Search { name, once, columns });
        }
    }
    let key: Vec<String> = target.key.iter().map(|k| k.name.clone()).collect();
    for unique in described.uniques.iter().filter(|u| u.columns != key || !u.plain) {
        let known = unique.plain && target.keys(&unique.columns).is_some();
        let rule = if known {
            rules.of(&target.of, &unique.columns)
        } else {
            rules.of(&target.of, std::slice::from_ref(&unique.name))
        };
        let (old, new, deciding) = match target.keys(&unique.columns).filter(|_| unique.plain) {
            Some(columns) => {
                let types: Vec<String> = columns.iter().map(|c| c.type_name.clone()).collect();
                (value('o', &columns, &types), value('n', &columns, &types), deciding(target, &columns))
            }
            // An expression may be over a column that is not captured: found by trying.
            None if unique.plain || unique.keys.is_empty() || target.columns.len() < described.columns.len() => {
                continue;
            }
            None => {
                let of = |image| named_value(target, image, &unique.keys, unique.predicate.as_deref());
                (of('o'), of('n'), Vec::new())
            }
        };
        target.uniques.push(Unique {
            rule,
            name: unique.name.clone(),
            keys: unique.keys.clone(),
            predicate: unique.predicate.clone(),
            old,
            new,
            deciding,
        });
    }
}

fn referenced_by(
    target: &Target,
    from: &catalog::Table,
    key: &ForeignKey,
    all: &[Target],
    names: &[(Name, usize)],
    catalog: &Catalog,
    rules: &mut Rules,
) -> Option<ReferencedBy> {
    let columns = target.keys(&key.to_columns)?;
    let types: Vec<String> = columns.iter().map(|c| c.type_name.clone()).collect();
    let old = value('o', &columns, &types);
    let root = &catalog.root(from).name;
    let staged = names.iter().find(|(n, _)| n == root).and_then(|(_, no)| all.iter().find(|t| t.no == *no));
    let from_key = staged
        .map(|t| hash(t.key.iter().map(|k| (format!("c.{}::{}", ident(&k.name), k.type_name), k.type_name.as_str()))));
    Some(ReferencedBy {
        name: key.name.clone(),
        from_table: from.name.sql(),
        from_name: from.name.to_string(),
        from_columns: key.columns.clone(),
        columns,
        rule: rules.of(&target.of, &key.to_columns),
        old,
        from_no: staged.map_or(0, |t| t.no),
        from_key: from_key.unwrap_or_else(|| literal("")),
        from_positions: staged
            .and_then(|t| t.keys(&key.columns))
            .map(|k| k.iter().map(|k| k.i).collect())
            .unwrap_or_default(),
    })
}

/// The rules of a table, once every reference to it is known.
pub fn finish(target: &mut Target, rules: &Rules, catalog: &Catalog) {
    let Some(described) = catalog.get(&target.of) else { return };
    let mut list: Vec<Rule> = target
        .uniques
        .iter()
        .map(|u| Rule {
            rule: u.rule,
            old: u.old.clone(),
            new: u.new.clone(),
            document: rules.documents.contains(&u.rule),
            columns: u.deciding.clone(),
        })
        .collect();
    for (number, (table, columns)) in (1..).zip(&rules.known) {
        let known = number == target.key_rule || list.iter().any(|r| r.rule == number);
        if *table != target.of || known {
            continue;
        }
        if let Some(columns) = target.keys(columns) {
            let types: Vec<String> = columns.iter().map(|c| c.type_name.clone()).collect();
            let document = rules.documents.contains(&number);
            list.push(Rule {
                rule: number,
                old: value('o', &columns, &types),
                new: value('n', &columns, &types),
                document,
                columns: deciding(target, &columns),
            });
        }
    }
    target.rules = list;
    let referencing = target.references.iter().flat_map(|r| &r.columns);
    let referenced = target.referenced_by.iter().flat_map(|r| &r.columns);
    let mut joined: Vec<usize> = target.key.iter().chain(referencing).chain(referenced).map(|k| k.i).collect();
    joined.sort_unstable();
    joined.dedup();
    target.joined = joined;
    for (rule, table, columns, watched) in &rules.watched {
        if *table == target.of
            && let (Some(keys), Some(watched)) = (target.keys(columns), target.keys(watched))
        {
            let types = types(described, columns);
            target.watched.push(Watched { rule: *rule, old: value('o', &keys, &types), columns: watched });
        }
    }
}
