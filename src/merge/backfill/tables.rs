//! The tables of a snapshot as the merge's plan sees them: every column counts, nothing is added or set, and tables that others
//! refer to come first.

use crate::catalog::{self, Catalog, Name};
use crate::db::Transaction;
use crate::db::{Client, sql};
use crate::error::{Cannot, Error, Result};
use crate::formats::batch::Column;
use crate::formats::snapshot::{self, Manifest};
use crate::merge::rules::Key;
use crate::merge::shape::Shape;
use crate::merge::statements;
use crate::merge::target::Target;
use crate::profile::{self, OnConflict, Profile, Triggers};
use minijinja::value::Serde;
use minijinja::{Value, context};

/// The profile under which rows of a snapshot are brought back: they are the primary's own, so that nothing of theirs is
/// merged as a difference, left alone, set or numbered anew, and no trigger has work to do.
pub fn profile(own: &Profile, tables: impl Iterator<Item = Name>, overwrite: bool) -> Profile {
    let mut profile = own.clone();
    profile.tables = tables
        .map(|name| {
            let entry = own.table(&name);
            profile::Table {
                capture: true,
                scratch: false,
                filter: None,
                omit: Vec::new(),
                key: entry.map(|t| t.key.clone()).unwrap_or_default(),
                money: entry.map(|t| t.money.clone()).unwrap_or_default(),
                group: entry.map(|t| t.group.clone()).unwrap_or_default(),
                personal: entry.map(|t| t.personal.clone()).unwrap_or_default(),
                counter: Vec::new(),
                ignore: Vec::new(),
                stamp: Vec::new(),
                assign: Vec::new(),
                same_as: Vec::new(),
                once: Vec::new(),
                guard: Vec::new(),
                part_of: entry.and_then(|t| t.part_of.clone()),
                triggers: Triggers::Replay,
                on_conflict: if overwrite { OnConflict::Standby } else { OnConflict::Hold },
                line: entry.map_or(0, |t| t.line),
                name,
            }
        })
        .collect();
    profile.numbers.clear();
    profile
}

/// What tells the rows of a table apart: the profile's key, the primary key, or a plain unique rule of columns that are
/// never NULL. Empty when there is nothing.
pub fn key(profile: &Profile, described: &catalog::Table) -> Vec<String> {
    let named = profile.table(&described.name).map(|t| t.key.clone()).filter(|k| !k.is_empty());
    let never_null = |columns: &[String]| columns.iter().all(|c| described.column(c).is_some_and(|c| c.not_null));
    named
        .or_else(|| described.primary_key().map(<[String]>::to_vec))
        .or_else(|| {
            let mut rules = described.uniques.iter().filter(|u| u.plain && u.immediate && never_null(&u.columns));
            rules.next().map(|u| u.columns.clone())
        })
        .unwrap_or_default()
}

/// The snapshot's tables that have a key, and those that have none.
pub fn shapes<'a>(profile: &Profile, manifest: &'a Manifest) -> (Vec<Shape>, Vec<&'a snapshot::Table>) {
    let (mut shapes, mut keyless) = (Vec::new(), Vec::new());
    for table in manifest.tables.iter().filter(|t| !t.columns.is_empty()) {
        let key = key(profile, &table.described);
        if key.is_empty() || !key.iter().all(|k| table.columns.contains(k)) {
            keyless.push(table);
        } else {
            shapes.push(Shape { table: table.table.clone(), columns: columns(table), key });
        }
    }
    (shapes, keyless)
}

/// The downloaded columns with their types beneath domains.
pub fn columns(table: &snapshot::Table) -> Vec<Column> {
    let described = table.columns.iter().filter_map(|c| table.described.column(c));
    described.map(|c| Column { name: c.name.clone(), type_name: c.base_type.clone() }).collect()
}

/// The tables of a backfill's held units, as the ledger keeps them.
pub fn waiting(client: &mut Client, event: &str, catalog: &Catalog, profile: &Profile) -> Result<Vec<Shape>> {
    let doing = "read the held units of the backfill";
    let rows = client.query(crate::sql!("merge/backfill/waiting_tables.sql"), &[&event]).cannot(doing)?;
    let mut shapes = Vec::new();
    for row in rows {
        let (table, names): (Name, Vec<String>) = (Name::parse(row.get(0))?, row.get(1));
        let described = catalog.get(&table).ok_or_else(|| {
            Error::refused(doing, format!("the primary has no table '{table}' any more"))
                .hint("the schema changed while rows of it are held; put the table back, or ask the vendor.")
        })?;
        let columns = names.iter().filter_map(|n| described.column(n));
        shapes.push(Shape {
            columns: columns.map(|c| Column { name: c.name.clone(), type_name: c.base_type.clone() }).collect(),
            key: key(profile, described),
            table,
        });
    }
    Ok(shapes)
}

/// A reference between two tables, by their numbers and the positions of columns.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
struct Edge {
    from: usize,
    columns: Vec<usize>,
    to: usize,
    to_columns: Vec<usize>,
}

/// Tables that refer to one another.
struct Graph {
    references: Vec<Edge>,
    tables: Vec<usize>,
}

impl Graph {
    fn of(targets: &[Target]) -> Graph {
        let mut references = Vec::new();
        for from in targets {
            for r in &from.references {
                let Some(to) = targets.iter().find(|t| t.name == r.to_name) else { continue };
                let Some(there) = to.keys(&r.to_columns) else { continue };
                let positions = |keys: &[Key]| keys.iter().map(|k| k.i).collect();
                references.push(Edge {
                    from: from.no,
                    columns: positions(&r.columns),
                    to: to.no,
                    to_columns: positions(&there),
                });
            }
        }
        Graph { references, tables: targets.iter().map(|t| t.no).collect() }
    }

    /// Every table that `from` refers to, at any remove; itself only when there is a way round.
    fn reached(&self, from: usize) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        let mut next = vec![from];
        while let Some(at) = next.pop() {
            for edge in self.references.iter().filter(|r| r.from == at) {
                if !found.contains(&edge.to) {
                    found.push(edge.to);
                    next.push(edge.to);
                }
            }
        }
        found
    }
}

/// Of each table its place, tables that it refers to before it; and the references that go round in a circle.
fn order(graph: &Graph) -> (Vec<(usize, usize)>, Vec<&Edge>) {
    let all: Vec<(usize, Vec<usize>)> = graph.tables.iter().map(|t| (*t, graph.reached(*t))).collect();
    let reaches = |a: usize, b: usize| all.iter().any(|(t, found)| *t == a && found.contains(&b));
    // A table refers to more others than what it refers to, unless both are of one circle, and then to as many.
    let places = all.iter().map(|(t, found)| (*t, found.iter().filter(|o| *o != t).count())).collect();
    let round = graph.references.iter().filter(|r| r.from == r.to || reaches(r.to, r.from)).collect();
    (places, round)
}

const DOING: &str = "make units of what the primary lacks";

/// Ties staged rows together whose references go round in a circle: they are one unit.
pub fn tie(tx: &mut Transaction<'_>, targets: &[Target]) -> Result<()> {
    let graph = Graph::of(targets);
    let (_, round) = order(&graph);
    if round.is_empty() {
        return Ok(());
    }
    let mut tables: Vec<usize> = round.iter().flat_map(|r| [r.from, r.to]).collect();
    tables.sort_unstable();
    tables.dedup();
    let context = context! { tables, references => Value::from(Serde(&round)) };
    statements::run(tx, crate::sql!("merge/backfill/tie.sql"), context, DOING)
}

/// Makes units of the staged rows.
pub fn units(tx: &mut Transaction<'_>, targets: &[Target]) -> Result<()> {
    let graph = Graph::of(targets);
    let (places, _) = order(&graph);
    let tables: Vec<Value> = places.iter().map(|(no, rank)| context! { no, rank }).collect();
    if tables.is_empty() {
        return Ok(());
    }
    let text = sql::render(crate::sql!("merge/backfill/units.sql"), context! { tables })?;
    tx.batch_execute(&text).cannot(DOING)
}

/// Refuses a table of the snapshot that the primary no longer has, or has with other columns.
pub fn require_there(manifest: &Manifest, catalog: &Catalog) -> Result<()> {
    for table in &manifest.tables {
        let doing = || format!("bring back rows of '{}'", table.table);
        let hint = "the schema changed since the snapshot, or an older version of it was restored; bring it to the snapshot's first (pg_restore -s shows that: schema.dump).";
        let there = catalog
            .get(&table.table)
            .ok_or_else(|| Error::refused(doing(), "the primary has no such table").hint(hint))?;
        for column in columns(table) {
            let found = there.column(&column.name).map(|c| c.base_type.clone());
            if found.as_ref() != Some(&column.type_name) {
                let found = found.unwrap_or_else(|| "not there".to_owned());
                let reason = format!("column '{}' is {found} (expected {})", column.name, column.type_name);
                return Err(Error::refused(doing(), reason).hint(hint));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(references: &[(usize, usize)]) -> Graph {
        let mut tables: Vec<usize> = references.iter().flat_map(|(a, b)| [*a, *b]).collect();
        tables.sort_unstable();
        tables.dedup();
        let edge = |(from, to): &(usize, usize)| Edge { from: *from, columns: vec![1], to: *to, to_columns: vec![1] };
        Graph { references: references.iter().map(edge).collect(), tables }
    }

    #[test]
    fn what_is_referred_to_comes_first_and_circles_are_found() {
        // 1 line -> 2 charge -> 3 patient; 2 -> 2 (offset); 4 hen <-> 5 egg -> 3.
        let graph = graph(&[(1, 2), (2, 3), (2, 2), (4, 5), (5, 4), (5, 3)]);
        let (places, round) = order(&graph);
        let place = |t: usize| places.iter().find(|(no, _)| *no == t).map(|(_, p)| *p).unwrap();
        assert!(place(3) < place(2) && place(2) < place(1));
        assert!(place(3) < place(4) && place(4) == place(5));
        let round: Vec<(usize, usize)> = round.iter().map(|r| (r.from, r.to)).collect();
        assert_eq!(round, [(2, 2), (4, 5), (5, 4)]);
    }
}
