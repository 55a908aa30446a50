//! Which rows of a snapshot the primary lacks, or has with other content; and which sequences are behind.

use super::tables;
use crate::catalog::Name;
use crate::db::{Client, Transaction, sql};
use crate::error::{Cannot, Error, Result};
use crate::formats::snapshot::{How, Manifest, Table};
use crate::merge::statements;
use crate::merge::target::Target;
use crate::profile::Profile;
use crate::snapshot::Snapshot;
use minijinja::value::Serde;
use minijinja::{Value, context};

/// How one table of the snapshot compares with the primary.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Compared {
    #[serde(serialize_with = "as_text")]
    pub table: Name,
    /// Rows of the snapshot.
    pub snapshot: u64,
    /// Not on the primary.
    pub lacking: u64,
    /// There with other content.
    pub changed: u64,
    /// On the primary only; `None` where the profile downloads a part of the table.
    pub only_on_primary: Option<u64>,
    /// Brought back by an earlier run, and changed or deleted since; left so.
    pub since: u64,
    /// It has no key, so that nothing can be brought back.
    pub keyless: bool,
    /// Columns that are not downloaded.
    pub omitted: Vec<String>,
}

fn as_text<S: serde::Serializer>(name: &Name, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.collect_str(name)
}

/// A sequence that was set forward.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Forwarded {
    #[serde(serialize_with = "as_text")]
    pub sequence: Name,
    pub from: i64,
    pub to: i64,
}

/// A snapshot beside the primary.
pub struct Beside<'a> {
    /// A full one and the deltas that lead to the snapshot; none when it is full itself.
    pub ancestors: &'a [Snapshot],
    pub snapshot: &'a Snapshot,
    pub profile: &'a Profile,
    /// Rows with other content are counted, and not staged.
    pub leave_changed: bool,
}

impl Beside<'_> {
    /// Stages the rows of one table that are lacking or otherwise.
    pub fn table(&self, tx: &mut Transaction<'_>, target: &Target, table: &Table) -> Result<Compared> {
        let doing = format!("compare '{}' with the snapshot", table.table);
        let at = self.snapshot.manifest.taken_at.to_rfc3339();
        let filtered = self.profile.table(&table.table).is_none_or(|t| t.filter.is_some());
        let this = context! { at, filtered, ..Value::from(Serde(target)) };
        self.read(tx, table, &this)?;
        statements::run(tx, crate::sql!("merge/backfill/compare_table.sql"), this.clone(), &doing)?;
        let text = sql::render(crate::sql!("merge/backfill/count_table.sql"), this.clone())?;
        let row = tx.query_one(&text, &[]).cannot(&*doing)?;
        if self.leave_changed {
            statements::run(tx, crate::sql!("merge/backfill/leave_changed.sql"), this.clone(), &doing)?;
        }
        statements::run(tx, crate::sql!("merge/backfill/drop_table.sql"), this, &doing)?;
        Ok(Compared {
            table: table.table.clone(),
            snapshot: table.rows_there(),
            lacking: unsigned(row.get(0)),
            changed: unsigned(row.get(1)),
            only_on_primary: row.get::<_, Option<i64>>(2).map(unsigned),
            since: 0,
            keyless: false,
            omitted: omitted(table),
        })
    }

    /// Without a key nobody can say which row is which; that some are lacking can be said.
    pub fn keyless(&self, tx: &mut Transaction<'_>, no: usize, table: &Table) -> Result<Compared> {
        let doing = format!("compare '{}' with the snapshot", table.table);
        let columns: Vec<Value> = (1..)
            .zip(tables::columns(table))
            .map(|(i, c)| context! { i, name => c.name, type => c.type_name })
            .collect();
        let this = context! { no, table => table.table.sql(), columns };
        self.read(tx, table, &this)?;
        let text = sql::render(crate::sql!("merge/backfill/count_keyless.sql"), this.clone())?;
        let row = tx.query_one(&text, &[]).cannot(&*doing)?;
        statements::run(tx, crate::sql!("merge/backfill/drop_table.sql"), this, &doing)?;
        let filtered = self.profile.table(&table.table).is_none_or(|t| t.filter.is_some());
        Ok(Compared {
            table: table.table.clone(),
            snapshot: table.rows_there(),
            lacking: unsigned(row.get(0)),
            changed: 0,
            only_on_primary: (!filtered).then(|| unsigned(row.get(1))),
            since: 0,
            keyless: true,
            omitted: omitted(table),
        })
    }

    /// Reads one table of the snapshot into a temporary table.
    fn read(&self, tx: &mut Transaction<'_>, table: &Table, this: &Value) -> Result<()> {
        let doing = format!("read '{}' of the snapshot", table.table);
        statements::run(tx, crate::sql!("merge/backfill/snapshot_table.sql"), this.clone(), &doing)?;
        for snapshot in self.ancestors.iter().chain([self.snapshot]) {
            let there = snapshot.manifest.tables.iter().find(|t| t.table == table.table);
            let there = there.ok_or_else(|| Error::damaged(&*doing, format!("'{}' does not have it", snapshot.id)))?;
            match there.delta.as_ref().map(|d| (d.how, d.gone.as_ref())) {
                None => {
                    fill(tx, snapshot, crate::sql!("merge/backfill/copy_table.sql"), this, (&there.file, there.rows))?;
                }
                Some((How::Same, _)) => {}
                Some((How::Whole, _)) => {
                    statements::run(tx, crate::sql!("merge/backfill/empty_table.sql"), this.clone(), &doing)?;
                    fill(tx, snapshot, crate::sql!("merge/backfill/copy_table.sql"), this, (&there.file, there.rows))?;
                }
                Some((How::Changed, gone)) => {
                    let gone = gone.ok_or_else(|| Error::damaged(&*doing, "it does not say which rows are gone"))?;
                    statements::run(tx, crate::sql!("merge/backfill/delta_table.sql"), this.clone(), &doing)?;
                    fill(tx, snapshot, crate::sql!("merge/backfill/copy_delta.sql"), this, (&there.file, there.rows))?;
                    fill(tx, snapshot, crate::sql!("merge/backfill/copy_gone.sql"), this, (&gone.file, gone.rows))?;
                    let census = there.census.as_ref();
                    let census = census.ok_or_else(|| Error::damaged(&*doing, "it does not say which keys it has"))?;
                    let key: Option<Vec<Value>> = census.key.iter().map(|name| numbered(this, name)).collect();
                    let key = key.ok_or_else(|| Error::damaged(&*doing, "it has no key to tell its rows apart by"))?;
                    let pins =
                        context! { timezone => there.timezone.clone(), search_path => there.search_path.clone() };
                    let session = sql::render(crate::sql!("snapshot/session.sql"), pins)?;
                    let apply = context! { key, mask => census.mask, session, ..this.clone() };
                    statements::run(tx, crate::sql!("merge/backfill/apply_delta.sql"), apply, &doing)?;
                }
            }
        }
        let text = sql::render(crate::sql!("merge/backfill/rows_of_table.sql"), this.clone())?;
        let rows = unsigned(tx.query_one(&text, &[]).cannot(&*doing)?.get(0));
        if rows != table.rows_there() {
            return Err(Error::damaged(doing, format!("{rows} rows arrived (expected {})", table.rows_there())));
        }
        Ok(())
    }
}

/// The number under which a template's columns have this one.
fn numbered(this: &Value, name: &str) -> Option<Value> {
    let mut columns = this.get_attr("columns").ok()?.try_iter().ok()?;
    columns.find(|c| c.get_attr("name").is_ok_and(|n| n.as_str() == Some(name)))?.get_attr("i").ok()
}

/// Reads a file of a snapshot, in which there must be so many rows.
fn fill(
    tx: &mut Transaction<'_>,
    snapshot: &Snapshot,
    template: &str,
    this: &Value,
    (file, expected): (&str, u64),
) -> Result<()> {
    let doing = format!("read '{file}' of the snapshot '{}'", snapshot.id);
    let copy = sql::render(template, this.clone())?;
    let rows = statements::copy_from(tx, &copy, &mut snapshot.file(file)?, &doing)?;
    if rows != expected {
        return Err(Error::damaged(doing, format!("{rows} rows arrived (expected {expected})")));
    }
    Ok(())
}

/// Sequences that stand behind the snapshot's; with `set` they are set forward.
pub fn sequences(client: &mut Client, manifest: &Manifest, set: bool) -> Result<Vec<Forwarded>> {
    let doing = "set the sequences forward";
    let used: Vec<_> = manifest.sequences.iter().filter(|s| s.is_called).collect();
    let names: Vec<String> = used.iter().map(|s| s.sequence.sql()).collect();
    let rows = client.query(crate::sql!("merge/sequences_behind.sql"), &[&names]).cannot(doing)?;
    let mut forwarded = Vec::new();
    for row in rows {
        let (name, now): (&str, Option<i64>) = (row.get(0), row.get(1));
        let Some(then) = used.iter().find(|s| s.sequence.sql() == name) else { continue };
        let behind = now.is_none_or(|n| if then.increment < 0 { n > then.last_value } else { n < then.last_value });
        if behind {
            if set {
                let context = context! { sequence => name, last => then.last_value, called => then.is_called };
                let text = sql::render(crate::sql!("merge/backfill/sequence_forward.sql"), context)?;
                client.query(&text, &[]).cannot(format!("set the sequence '{}' forward", then.sequence))?;
            }
            forwarded.push(Forwarded { sequence: then.sequence.clone(), from: now.unwrap_or(0), to: then.last_value });
        }
    }
    Ok(forwarded)
}

fn omitted(table: &Table) -> Vec<String> {
    let left_out = table.described.columns.iter().filter(|c| !c.generated && !table.columns.contains(&c.name));
    left_out.map(|c| c.name.clone()).collect()
}

fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
