//! The oracle: what a merge must hold and what the primary must hold after it, found by trying, one change after the
//! other, over maps of rows. Written from the definitions of a conflict and of dependence, slowly and plainly.

use super::schema::SCHEMA;
use super::server::{Change, Key, Row, Side, State, Value, breaks_check, key_of, some};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A committed transaction of the standby.
#[derive(Debug, Clone)]
pub struct Unit {
    pub changes: Vec<Change>,
}

/// Conflicts of a unit: kind and table of each; nothing but `depends` for one that only waits.
pub type Kinds = BTreeSet<(&'static str, &'static str)>;

/// The primary of one case through its merges.
#[derive(Debug, Clone)]
pub struct Merging {
    pub primary: Primary,
    /// Units by their number that wait for a person or for one that does.
    pub held: BTreeMap<usize, Kinds>,
    pub merged: BTreeSet<usize>,
}

#[derive(Debug, Clone)]
pub struct Primary {
    pub rows: State,
    /// Columns of rows that merges wrote.
    brought: BTreeSet<(usize, Key, usize)>,
    /// Rows that the units at hand touch: whatever they hold, they are none of the gap.
    touched: BTreeSet<(usize, Key)>,
    /// Rows with a key that the unit at hand wanted to make: they stay as they are.
    in_the_way: BTreeSet<(usize, Key)>,
    /// Rows that were there already, whole and equal, with the unit that would have inserted each.
    pub already: BTreeSet<(usize, usize, Key)>,
}

impl Merging {
    pub fn new(rows: State) -> Self {
        let [touched, in_the_way] = [(); 2].map(|()| BTreeSet::new());
        let primary = Primary { rows, brought: BTreeSet::new(), touched, in_the_way, already: BTreeSet::new() };
        Self { primary, held: BTreeMap::new(), merged: BTreeSet::new() }
    }

    /// One run of the merge, in which the units of `new` arrive; those held by earlier runs are looked at with them.
    pub fn run(&mut self, units: &[Unit], new: impl Iterator<Item = usize>) {
        let pending: BTreeSet<usize> = new.chain(self.held.keys().copied()).collect();
        let pending: Vec<usize> = pending.into_iter().collect();
        let edges = edges(units, &pending);
        self.primary.touched = pending.iter().flat_map(|u| &units[*u].changes).flat_map(keys).collect();
        let mut own: BTreeMap<usize, Kinds> =
            self.held.iter().filter(|(_, k)| !k.contains(&DEPENDS)).map(|(u, k)| (*u, k.clone())).collect();
        loop {
            let held = close(own.keys().copied().collect(), &edges);
            let mut primary = self.primary.clone();
            // A check is found by trying, after all that is found by looking.
            let (mut found, mut refused) = (None, None);
            for unit in pending.iter().filter(|u| !held.contains(*u)) {
                let kinds = primary.apply(*unit, &units[*unit]);
                if kinds.iter().any(|kind| !is_rule(kind)) {
                    found = Some((*unit, kinds.into_iter().filter(|kind| !is_rule(kind)).collect()));
                    break;
                } else if !kinds.is_empty() && refused.is_none() {
                    refused = Some((*unit, kinds));
                }
            }
            let found = found.or(refused);
            if let Some((unit, kinds)) = found {
                own.insert(unit, kinds);
                continue;
            }
            self.primary = primary;
            self.merged.extend(pending.iter().filter(|u| !held.contains(*u)));
            let depends = || Kinds::from([DEPENDS]);
            self.held = held.into_iter().map(|u| (u, own.get(&u).cloned().unwrap_or_else(depends))).collect();
            return;
        }
    }
}

/// Kind and table of a unit that only waits for another.
pub const DEPENDS: (&str, &str) = ("depends", "-");

fn is_rule(kind: &(&str, &str)) -> bool {
    kind.0 == "rule"
}

/// `held` and all that reaches one of it.
fn close(mut held: BTreeSet<usize>, edges: &BTreeSet<(usize, usize)>) -> BTreeSet<usize> {
    loop {
        let more: Vec<usize> = edges
            .iter()
            .filter(|(unit, on)| held.contains(on) && !held.contains(unit))
            .map(|(unit, _)| *unit)
            .collect();
        if more.is_empty() {
            return held;
        }
        held.extend(more);
    }
}

impl Primary {
    /// Applies a unit; gives its conflicts. What conflicts is written all the same where there is a row, so that the
    /// unit's later changes are compared with what the unit itself did.
    fn apply(&mut self, number: usize, unit: &Unit) -> Kinds {
        let mut kinds = Kinds::new();
        self.in_the_way.clear();
        let mut add = |kind, table: usize| kinds.insert((kind, SCHEMA.tables[table].name));
        for change in &unit.changes {
            for kind in self.apply_change(number, change) {
                add(kind, change.table);
            }
        }
        let left = left(unit);
        for (at, change) in unit.changes.iter().enumerate() {
            if self.parent_is_missing(change, &unit.changes[at + 1..], &left) || self.leaves_children(change) {
                add("parent", change.table);
            }
        }
        kinds
    }

    fn apply_change(&mut self, number: usize, change: &Change) -> Vec<&'static str> {
        let mut found = self.write_change(number, change);
        let mut references = SCHEMA.tables[change.table].references.iter();
        let written = written(change);
        if let Some(new) = &change.new
            && references.any(|r| !r.deferred && written.contains(&r.column) && self.lacks(r.to, new[r.column]))
        {
            found.push("parent");
        }
        found
    }

    /// Whether a reference to this row would be to nothing.
    fn lacks(&self, table: usize, key: Value) -> bool {
        !key.is_null() && self.rows.get(table, &[key]).is_none()
    }

    fn write_change(&mut self, number: usize, change: &Change) -> Vec<&'static str> {
        let (t, table) = (change.table, &SCHEMA.tables[change.table]);
        let mut found = Vec::new();
        if let Some(old) = change.old.as_ref().filter(|old| self.in_the_way.contains(&(t, key_of(t, old)))) {
            let key = key_of(t, old);
            match &change.new {
                Some(new) => {
                    self.in_the_way.remove(&(t, key));
                    self.in_the_way.insert((t, key_of(t, new)));
                    self.look_at_values(change, new, &mut found);
                }
                None => self.rows.remove(t, &key),
            }
            return found;
        }
        let there = change.old.as_ref().map(|old| self.rows.get(t, &key_of(t, old)).cloned());
        match (&change.old, &change.new) {
            (None, Some(new)) => {
                let key = key_of(t, new);
                if let Some(row) = self.rows.get(t, &key) {
                    let row = row.clone();
                    let ours = (0..table.columns.len()).any(|c| self.brought.contains(&(t, key.clone(), c)));
                    if !ours && (0..table.columns.len()).all(|c| !table.guarded(c) || row[c] == new[c]) {
                        self.look_at_guards(change, new, &mut found);
                        if found.is_empty() {
                            self.already.insert((number, t, key));
                        }
                        return found;
                    }
                    found.push("exists");
                    self.in_the_way.insert((t, key));
                    self.look_at_values(change, new, &mut found);
                    return found;
                }
                self.look_at_values(change, new, &mut found);
                self.write(t, new.clone(), 0..table.columns.len());
            }
            (Some(old), Some(new)) => {
                let changed = changed(change);
                let Some(row) = there.flatten() else {
                    found.push("missing");
                    if key_of(t, old) != key_of(t, new) && self.rows.get(t, &key_of(t, new)).is_some() {
                        found.push("exists");
                    }
                    self.look_at_values(change, new, &mut found);
                    return found;
                };
                if changed.iter().any(|c| table.guarded(*c) && row[*c] != old[*c]) {
                    found.push("changed");
                }
                let (key, moved) = (key_of(t, old), key_of(t, new));
                self.rows.remove(t, &key);
                if key != moved {
                    if self.rows.get(t, &moved).is_some() {
                        found.push("exists");
                        self.in_the_way.insert((t, moved));
                        self.look_at_values(change, new, &mut found);
                        return found;
                    }
                    for column in 0..table.columns.len() {
                        if self.brought.remove(&(t, key.clone(), column)) {
                            self.brought.insert((t, moved.clone(), column));
                        }
                    }
                }
                let next = Arc::new(merged(&row, old, new, t));
                self.look_at_values(change, &next, &mut found);
                self.write(t, next, changed.into_iter());
            }
            (Some(old), None) => {
                match there.flatten() {
                    None => found.push("missing"),
                    Some(row) if (0..table.columns.len()).any(|c| table.guarded(c) && row[c] != old[c]) => {
                        found.push("changed");
                    }
                    Some(_) => {}
                }
                let key = key_of(t, old);
                self.rows.remove(t, &key);
                self.brought.retain(|(table, of, _)| (*table, of) != (t, &key));
            }
            (None, None) => unreachable!("a change has an image"),
        }
        found
    }

    fn write(&mut self, table: usize, row: Arc<Row>, columns: impl Iterator<Item = usize>) {
        let key = key_of(table, &row);
        for column in columns {
            self.brought.insert((table, key.clone(), column));
        }
        self.rows.put(table, row);
    }

    /// Whether `row`, about to be written (and not there now), meets another row or a check.
    fn look_at_values(&self, change: &Change, row: &Row, found: &mut Vec<&'static str>) {
        let (t, table) = (change.table, &SCHEMA.tables[change.table]);
        let key = key_of(t, row);
        let written = written(change);
        let another = |other: &&Arc<Row>| key_of(t, other) != key;
        for unique in table.uniques.iter().filter(|u| u.iter().any(|c| written.contains(c))) {
            if self.rows.having(t, unique, &some(row, unique)).any(|r| another(&r)) {
                found.push("unique");
            }
        }
        if breaks_check(table, row, Side::Primary) {
            found.push("rule");
        }
        let twin = |columns: &[usize]| {
            let unknown = |other: &Arc<Row>| {
                let key = key_of(t, other);
                let known = change.then.get(t, &key).is_some_and(|r| some(r, columns) == some(other, columns));
                !known
                    && !self.touched.contains(&(t, key.clone()))
                    && !columns.iter().any(|c| self.brought.contains(&(t, key.clone(), *c)))
            };
            self.rows.having(t, columns, &some(row, columns)).filter(another).any(unknown)
        };
        let same = change.old.is_none() && !table.same_as.is_empty() && twin(&table.same_as);
        if same || table.once.iter().any(|c| written.contains(c) && twin(&[*c])) {
            found.push("twin");
        }
        self.look_at_guards(change, row, found);
    }

    /// Whether the parents of `row` are as the standby knew them.
    fn look_at_guards(&self, change: &Change, row: &Row, found: &mut Vec<&'static str>) {
        let (table, written) = (&SCHEMA.tables[change.table], written(change));
        for (column, of) in table.guard.iter().filter(|(c, _)| written.contains(c)) {
            let to = table.reference(*column).expect("a guard goes through a reference").to;
            let parent = |rows: &State| rows.get(to, &[row[*column]]).map(|r| some(r, of));
            // A parent that is not there is looked at with the references.
            if let (Some(knew), Some(has)) = (parent(&change.then), parent(&self.rows))
                && knew != has
            {
                found.push("parent");
            }
        }
    }

    /// Whether the change wrote a reference to nothing that the unit has left standing.
    fn parent_is_missing(&self, change: &Change, after: &[Change], left: &BTreeMap<(usize, Key), Arc<Row>>) -> bool {
        let Some(new) = &change.new else { return false };
        // The row may have got another key since.
        let mut key = key_of(change.table, new);
        for later in after.iter().filter(|c| c.table == change.table) {
            if let (Some(old), Some(new)) = (&later.old, &later.new)
                && key_of(change.table, old) == key
            {
                key = key_of(change.table, new);
            }
        }
        let Some(row) = left.get(&(change.table, key)) else { return false };
        let written = written(change);
        let mut references =
            SCHEMA.tables[change.table].references.iter().filter(|r| r.deferred && written.contains(&r.column));
        references.any(|r| row[r.column] == new[r.column] && self.lacks(r.to, row[r.column]))
    }

    /// Whether rows reference the key that the change took away.
    fn leaves_children(&self, change: &Change) -> bool {
        let Some(key) = gone(change) else { return false };
        if self.rows.get(change.table, &key).is_some() {
            return false;
        }
        let mut references =
            SCHEMA.tables.iter().enumerate().flat_map(|(t, d)| d.references.iter().map(move |r| (t, r)));
        references.any(|(child, r)| r.to == change.table && self.rows.having(child, &[r.column], &key).next().is_some())
    }
}

/// The primary's row with what an update changed: counters by their difference, numbers kept by a table not at all.
fn merged(row: &Row, old: &Row, new: &Row, table: usize) -> Row {
    let table = &SCHEMA.tables[table];
    let column = |c: usize| {
        if old[c] == new[c] || table.number.contains(&c) {
            row[c]
        } else if let (true, Value::Int(is), Value::Int(was), Value::Int(will)) =
            (table.counter.contains(&c), row[c], old[c], new[c])
        {
            Value::Int(is + will - was)
        } else {
            new[c]
        }
    };
    (0..row.len()).map(column).collect()
}

/// The rows that a unit leaves, as the standby had them.
fn left(unit: &Unit) -> BTreeMap<(usize, Key), Arc<Row>> {
    let mut left = BTreeMap::new();
    for change in &unit.changes {
        if let Some(old) = &change.old {
            left.remove(&(change.table, key_of(change.table, old)));
        }
        if let Some(new) = &change.new {
            left.insert((change.table, key_of(change.table, new)), new.clone());
        }
    }
    left
}

/// Columns that an update changes.
fn changed(change: &Change) -> Vec<usize> {
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => (0..old.len()).filter(|c| old[*c] != new[*c]).collect(),
        _ => Vec::new(),
    }
}

/// Columns whose value comes from the change: all of an insert.
fn written(change: &Change) -> Vec<usize> {
    match (&change.old, &change.new) {
        (None, Some(new)) => (0..new.len()).collect(),
        _ => changed(change),
    }
}

/// An update of counters, ignored columns and numbers alone.
fn weak(change: &Change) -> bool {
    let table = &SCHEMA.tables[change.table];
    change.old.is_some() && change.new.is_some() && changed(change).iter().all(|c| !table.guarded(*c))
}

/// The key that a change makes.
fn made(change: &Change) -> Option<Key> {
    let key = |row: &Option<Arc<Row>>| row.as_ref().map(|r| key_of(change.table, r));
    key(&change.new).filter(|new| key(&change.old).as_ref() != Some(new))
}

/// The key that a change takes away.
fn gone(change: &Change) -> Option<Key> {
    let key = |row: &Option<Arc<Row>>| row.as_ref().map(|r| key_of(change.table, r));
    key(&change.old).filter(|old| key(&change.new).as_ref() != Some(old))
}

/// `(unit, on)`: the unit must be held when the other is.
fn edges(units: &[Unit], pending: &[usize]) -> BTreeSet<(usize, usize)> {
    let mut edges = BTreeSet::new();
    for (i, earlier) in pending.iter().enumerate() {
        for later in &pending[i + 1..] {
            let (a, b) = (&units[*earlier].changes, &units[*later].changes);
            let any = |test: fn(&Change, &Change) -> bool| a.iter().any(|a| b.iter().any(|b| test(a, b)));
            if any(same_row) || any(same_value) || any(uses_made_row) || any(referenced_gone_row) || any(guarded_by) {
                edges.insert((*later, *earlier));
            }
            if any(one_document) || any(|a, b| one_document(b, a)) {
                edges.insert((*later, *earlier));
                edges.insert((*earlier, *later));
            }
        }
    }
    edges
}

/// Keys of the rows that a change is about.
fn keys(change: &Change) -> impl Iterator<Item = (usize, Key)> {
    [&change.old, &change.new].into_iter().flatten().map(|row| (change.table, key_of(change.table, row)))
}

fn same_row(a: &Change, b: &Change) -> bool {
    !weak(a) && !weak(b) && keys(a).any(|key| keys(b).any(|other| key == other))
}

/// Unique values that a change takes or frees: table, rule and value.
fn values(change: &Change) -> Vec<(usize, usize, Vec<Value>)> {
    let written =
        if change.new.is_some() { written(change) } else { (0..SCHEMA.tables[change.table].columns.len()).collect() };
    let mut values = Vec::new();
    for (rule, columns) in SCHEMA.tables[change.table].uniques.iter().enumerate() {
        if columns.iter().any(|c| written.contains(c)) {
            let images = [&change.old, &change.new].into_iter().flatten().map(|row| some(row, columns));
            values.extend(images.filter(|v| v.iter().all(|v| !v.is_null())).map(|v| (change.table, rule, v)));
        }
    }
    values
}

fn same_value(a: &Change, b: &Change) -> bool {
    let others = values(b);
    values(a).iter().any(|value| others.contains(value))
}

/// `b` references a row that `a` made, or changes a counter of it.
fn uses_made_row(a: &Change, b: &Change) -> bool {
    let Some(key) = made(a) else { return false };
    let counts = weak(b) && keys(b).any(|other| other == (a.table, key.clone()));
    counts || writes_reference_to(b, a.table, &key)
}

fn writes_reference_to(change: &Change, table: usize, key: &[Value]) -> bool {
    let Some(new) = &change.new else { return false };
    let written = written(change);
    let mut references = SCHEMA.tables[change.table].references.iter();
    references.any(|r| r.to == table && written.contains(&r.column) && [new[r.column]] == *key)
}

/// `b` takes a row away that `a` had ceased to reference.
fn referenced_gone_row(a: &Change, b: &Change) -> bool {
    let (Some(key), Some(old)) = (gone(b), &a.old) else { return false };
    let mut references = SCHEMA.tables[a.table].references.iter();
    references.any(|r| {
        let still = a.new.as_ref().is_some_and(|new| new[r.column] == old[r.column]);
        r.to == b.table && [old[r.column]] == *key && !still
    })
}

/// `b` is a row guarded by columns of its parent that `a` changed.
fn guarded_by(a: &Change, b: &Change) -> bool {
    let changed = changed(a);
    SCHEMA.tables[b.table].guard.iter().any(|(column, of)| {
        let to = SCHEMA.tables[b.table].reference(*column).expect("a guard goes through a reference").to;
        to == a.table
            && of.iter().any(|c| changed.contains(c))
            && keys(a).any(|(_, key)| writes_reference_to_by(b, *column, &key))
    })
}

fn writes_reference_to_by(change: &Change, column: usize, key: &[Value]) -> bool {
    change.new.as_ref().is_some_and(|new| [new[column]] == *key) && written(change).contains(&column)
}

/// `part` is of the document whose header `header` changes.
fn one_document(header: &Change, part: &Change) -> bool {
    let Some(column) = SCHEMA.tables[part.table].part_of else { return false };
    let to = SCHEMA.tables[part.table].reference(column).expect("a part references its header").to;
    let mut parents = [&part.old, &part.new].into_iter().flatten().map(|row| row[column]);
    to == header.table && !weak(header) && !weak(part) && parents.any(|p| keys(header).any(|(_, key)| key == [p]))
}
