//! What the primary does meanwhile: work of its own, and, in a part of the cases, something that meets what the windows
//! did on the standby.

use super::history::{Case, Maker, Transaction};
use super::schema::{SCHEMA, with};
use super::server::{Change, Row, Running, Set, Side, State, Statement, Value, key_of};

/// Percent of the cases in which the primary does something that is chosen to meet the standby's work.
const MEETING: usize = 36;

/// Fills in the primary's own history.
pub fn meanwhile(maker: &mut Maker<'_>, case: &mut Case) {
    let played = case.play();
    let changes: Vec<Change> = played.units.into_iter().flat_map(|u| u.changes).collect();
    maker.for_the_primary();
    let mut now = case.start.clone();
    if maker.random.percent(40) {
        for _ in 0..=maker.random.below(2) {
            let proposed = elsewhere(maker, &now, &changes);
            add(&mut now, case, proposed);
        }
    }
    if maker.random.percent(MEETING) {
        for _ in 0..=maker.random.below(2) {
            for _ in 0..6 {
                let Some(change) = maker.random.pick(&changes) else { break };
                let proposed = meeting(maker, &now, &change.clone());
                if add(&mut now, case, proposed) {
                    break;
                }
            }
        }
    }
}

fn add(now: &mut State, case: &mut Case, statements: Vec<Statement>) -> bool {
    let mut running = Running::new(Side::Primary, now.clone());
    let fine = !statements.is_empty() && statements.iter().all(|s| running.run(s).is_ok()) && running.can_commit();
    if fine {
        *now = running.now;
        case.meanwhile.push(Transaction { statements, rolled_back: false, batch: 0 });
    }
    fine
}

/// Work that mostly stays clear of what the windows did: rows of its own, other columns of the same rows.
fn elsewhere(maker: &mut Maker<'_>, now: &State, changes: &[Change]) -> Vec<Statement> {
    for _ in 0..6 {
        let proposed = maker.propose(now);
        let clear = |statement: &Statement| match statement {
            Statement::Insert { .. } => true,
            Statement::Update { table, key, set } => set.iter().all(|(c, _)| {
                !SCHEMA.tables[*table].key.contains(c) && !changes.iter().any(|change| writes(change, *table, key, *c))
            }),
            Statement::Delete { table, key } => {
                !changes.iter().any(|c| c.table == *table && images(c).any(|r| key_of(*table, r) == *key))
            }
            Statement::Undone(_) => false,
        };
        if proposed.iter().all(clear) {
            return proposed;
        }
    }
    Vec::new()
}

fn images(change: &Change) -> impl Iterator<Item = &Row> {
    [&change.old, &change.new].into_iter().flatten().map(|row| &**row)
}

fn writes(change: &Change, table: usize, key: &[Value], column: usize) -> bool {
    let differs = || match (&change.old, &change.new) {
        (Some(old), Some(new)) => old[column] != new[column],
        _ => true,
    };
    change.table == table && differs() && images(change).any(|row| key_of(table, row) == *key)
}

/// Something that is likely to be in the way of one change of the standby.
fn meeting(maker: &mut Maker<'_>, now: &State, change: &Change) -> Vec<Statement> {
    let one = |statement: Option<Statement>| statement.into_iter().collect();
    match (&change.old, &change.new) {
        (None, Some(new)) => match maker.random.below(8) {
            0 if with("already") => vec![Statement::Insert { table: change.table, row: Row::clone(new) }],
            0 | 1 => one(with_key_of(maker, now, change.table, new)),
            2 => one(with_value_of(maker, now, change.table, new)),
            3 | 4 => one(twin_of(maker, now, change.table, new)),
            5 => one(change_parent(maker, now, change.table, new)),
            _ => one(delete_parent(maker, now, change.table, new)),
        },
        (Some(old), Some(new)) => match maker.random.below(8) {
            0 => vec![Statement::Delete { table: change.table, key: key_of(change.table, old) }],
            1 => one(with_value_of(maker, now, change.table, new)),
            2 => one(delete_parent(maker, now, change.table, new)),
            3 => one(twin_of(maker, now, change.table, new)),
            4 => one(with_key_of(maker, now, change.table, new)),
            _ => one(change_same(maker, now, change, old, new)),
        },
        (Some(old), None) => match maker.random.below(3) {
            0 => vec![Statement::Delete { table: change.table, key: key_of(change.table, old) }],
            1 => one(child_of(maker, now, change.table, old)),
            _ => {
                let others: Vec<usize> = unkeyed(change.table);
                one(maker.random.pick(&others).copied().and_then(|c| update(maker, now, change.table, old, c)))
            }
        },
        (None, None) => Vec::new(),
    }
}

fn unkeyed(table: usize) -> Vec<usize> {
    (0..SCHEMA.tables[table].columns.len()).filter(|c| !SCHEMA.tables[table].key.contains(c)).collect()
}

fn update(maker: &mut Maker<'_>, now: &State, table: usize, row: &Row, column: usize) -> Option<Statement> {
    let key = key_of(table, row);
    let set = vec![(column, maker.set(now, table, &key, column)?)];
    Some(Statement::Update { table, key, set })
}

/// Another row under the same key.
fn with_key_of(maker: &mut Maker<'_>, now: &State, table: usize, row: &Row) -> Option<Statement> {
    let mut other = maker.row(now, table)?;
    SCHEMA.tables[table].key.iter().for_each(|c| other[*c] = row[*c]);
    Some(Statement::Insert { table, row: other })
}

/// Another row with the same unique value.
fn with_value_of(maker: &mut Maker<'_>, now: &State, table: usize, row: &Row) -> Option<Statement> {
    let unique = maker.random.pick(&SCHEMA.tables[table].uniques)?.clone();
    if maker.random.percent(40) {
        let keys: Vec<_> = now.0[table].keys().cloned().collect();
        let set = unique.iter().map(|c| (*c, Set::To(row[*c]))).collect();
        return Some(Statement::Update { table, key: maker.random.pick(&keys)?.clone(), set });
    }
    let mut other = maker.row(now, table)?;
    unique.iter().for_each(|c| other[*c] = row[*c]);
    Some(Statement::Insert { table, row: other })
}

/// A row of its own key that says the same in the columns of `same_as` or `once`.
fn twin_of(maker: &mut Maker<'_>, now: &State, table: usize, row: &Row) -> Option<Statement> {
    let described = &SCHEMA.tables[table];
    let mut other = maker.row(now, table)?;
    let columns = if described.same_as.is_empty() { &described.once } else { &described.same_as };
    if columns.is_empty() {
        return None;
    }
    if !described.once.is_empty() && row[described.once[0]].is_null() {
        return None;
    }
    columns.iter().for_each(|c| other[*c] = row[*c]);
    other[0] = maker.fresh();
    Some(Statement::Insert { table, row: other })
}

/// The parent of a row gets other values, the guarded ones among them.
fn change_parent(maker: &mut Maker<'_>, now: &State, table: usize, row: &Row) -> Option<Statement> {
    let described = &SCHEMA.tables[table];
    let reference = maker.random.pick(&described.references)?;
    let parent = now.get(reference.to, &[row[reference.column]])?.clone();
    let guarded = described.guard.iter().find(|(c, _)| *c == reference.column).map(|(_, of)| of.clone());
    let columns = guarded.filter(|_| maker.random.percent(80)).unwrap_or_else(|| unkeyed(reference.to));
    let column = *maker.random.pick(&columns)?;
    update(maker, now, reference.to, &parent, column)
}

fn delete_parent(maker: &mut Maker<'_>, now: &State, table: usize, row: &Row) -> Option<Statement> {
    let reference = maker.random.pick(&SCHEMA.tables[table].references)?;
    now.get(reference.to, &[row[reference.column]])?;
    Some(Statement::Delete { table: reference.to, key: vec![row[reference.column]] })
}

/// A new row, or another row, references this one.
fn child_of(maker: &mut Maker<'_>, now: &State, table: usize, row: &Row) -> Option<Statement> {
    let references: Vec<(usize, usize)> = (SCHEMA.tables.iter().enumerate())
        .flat_map(|(child, d)| d.references.iter().filter(|r| r.to == table).map(move |r| (child, r.column)))
        .collect();
    let (child, column) = *maker.random.pick(&references)?;
    let mut new = maker.row(now, child)?;
    new[column] = row[0];
    Some(Statement::Insert { table: child, row: new })
}

/// The same row, mostly in the column that the window changed, sometimes to the very same value.
fn change_same(maker: &mut Maker<'_>, now: &State, change: &Change, old: &Row, new: &Row) -> Option<Statement> {
    let others = unkeyed(change.table);
    let changed: Vec<usize> = others.iter().copied().filter(|c| old[*c] != new[*c]).collect();
    let among = if maker.random.percent(75) { &changed } else { &others };
    let column = *maker.random.pick(among)?;
    let described = &SCHEMA.tables[change.table];
    if maker.random.percent(25) && !described.counter.contains(&column) {
        let set = vec![(column, Set::To(new[column]))];
        return Some(Statement::Update { table: change.table, key: key_of(change.table, old), set });
    }
    update(maker, now, change.table, old, column)
}
