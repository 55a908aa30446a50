//! A small model of a server: rows, the statements that change them, and what it refuses. It knows nothing of merging.

use super::schema::{Kind, OnDelete, REFUSED, SCHEMA, Table, word};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A value of a case. Keys and codes are counted within the case, so that a case fits anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    Null,
    Id(i32),
    Code(i32),
    Int(i32),
    /// A number of [`word`].
    Word(usize),
    Cents(i32),
}

/// How many keys a case has to itself.
pub const WIDTH: i64 = 10_000;

impl Value {
    /// As the server writes it, for the case at `place`; `None` for NULL.
    pub fn text(self, place: usize) -> Option<String> {
        let place = i64::try_from(place).expect("places are few");
        Some(match self {
            Value::Null => return None,
            Value::Id(n) => (place * WIDTH + i64::from(n)).to_string(),
            Value::Code(n) => format!("c{place}x{n}"),
            Value::Int(n) => n.to_string(),
            Value::Word(n) => word(n).to_owned(),
            Value::Cents(n) => cents(i64::from(n)),
        })
    }

    /// As a literal.
    pub fn sql(self, place: usize) -> String {
        match (self, self.text(place)) {
            (_, None) => "NULL".to_owned(),
            (Value::Code(_) | Value::Word(_), Some(text)) if text.contains('\\') => {
                format!("E'{}'", text.replace('\\', r"\\").replace('\'', "''"))
            }
            (Value::Code(_) | Value::Word(_), Some(text)) => format!("'{}'", text.replace('\'', "''")),
            (_, Some(text)) => text,
        }
    }

    pub fn is_null(self) -> bool {
        self == Value::Null
    }
}

/// An amount with two decimals.
pub fn cents(n: i64) -> String {
    format!("{}{}.{:02}", if n < 0 { "-" } else { "" }, n.abs() / 100, n.abs() % 100)
}

pub type Row = Vec<Value>;
pub type Key = Vec<Value>;

/// All rows of a case on one side, by table and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State(pub Vec<BTreeMap<Key, Arc<Row>>>);

impl State {
    pub fn empty() -> Self {
        Self(vec![BTreeMap::new(); SCHEMA.tables.len()])
    }

    pub fn get(&self, table: usize, key: &[Value]) -> Option<&Arc<Row>> {
        self.0[table].get(key)
    }

    pub fn put(&mut self, table: usize, row: Arc<Row>) {
        self.0[table].insert(key_of(table, &row), row);
    }

    pub fn remove(&mut self, table: usize, key: &[Value]) {
        self.0[table].remove(key);
    }

    /// Rows of `table` whose `columns` are these, none of them null.
    pub fn having<'a>(
        &'a self,
        table: usize,
        columns: &'a [usize],
        values: &'a [Value],
    ) -> impl Iterator<Item = &'a Arc<Row>> {
        let all = values.iter().all(|v| !v.is_null());
        self.0[table].values().filter(move |row| all && columns.iter().zip(values).all(|(c, v)| row[*c] == *v))
    }
}

/// The key of a row.
pub fn key_of(table: usize, row: &[Value]) -> Key {
    some(row, &SCHEMA.tables[table].key)
}

/// Some columns of a row.
pub fn some(row: &[Value], columns: &[usize]) -> Vec<Value> {
    columns.iter().map(|c| row[*c]).collect()
}

/// What an update sets a column to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    To(Value),
    /// The column plus this.
    By(i32),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    Insert {
        table: usize,
        row: Row,
    },
    Update {
        table: usize,
        key: Key,
        set: Vec<(usize, Set)>,
    },
    Delete {
        table: usize,
        key: Key,
    },
    /// In a savepoint that is rolled back.
    Undone(Box<Statement>),
}

/// One row changed, as a trigger would see it.
#[derive(Debug, Clone)]
pub struct Change {
    pub table: usize,
    pub old: Option<Arc<Row>>,
    pub new: Option<Arc<Row>>,
    /// All rows of that side right after it.
    pub then: Arc<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Primary,
    Standby,
}

/// The server refused the statement.
#[derive(Debug)]
pub struct Refused;

/// A transaction that is running.
#[derive(Debug)]
pub struct Running {
    side: Side,
    pub now: State,
    pub changes: Vec<Change>,
}

impl Running {
    pub fn new(side: Side, now: State) -> Self {
        Self { side, now, changes: Vec::new() }
    }

    /// Runs one statement; when it is refused, nothing has happened.
    pub fn run(&mut self, statement: &Statement) -> Result<(), Refused> {
        let (before, changes) = (self.now.clone(), self.changes.len());
        let done = self.try_run(statement);
        if done.is_err() || matches!(statement, Statement::Undone(_)) {
            self.now = before;
            self.changes.truncate(changes);
        }
        done
    }

    /// Whether the references that are looked at only now hold.
    pub fn can_commit(&self) -> bool {
        (0..SCHEMA.tables.len()).all(|t| self.now.0[t].values().all(|row| self.parents_there(t, row, true)))
    }

    /// Whether every reference holds.
    pub fn is_whole(&self) -> bool {
        let row_is = |t: usize, row: &[Value]| self.parents_there(t, row, false) && self.parents_there(t, row, true);
        (0..SCHEMA.tables.len()).all(|t| self.now.0[t].values().all(|row| row_is(t, row)))
    }

    fn try_run(&mut self, statement: &Statement) -> Result<(), Refused> {
        match statement {
            Statement::Undone(inner) => self.try_run(inner),
            Statement::Insert { table, row } => {
                refuse_if(self.now.get(*table, &key_of(*table, row)).is_some())?;
                self.write(*table, None, Some(Arc::new(row.clone())))
            }
            Statement::Update { table, key, set } => {
                let old = self.now.get(*table, key).ok_or(Refused)?.clone();
                let mut new = Row::clone(&old);
                for (column, to) in set {
                    new[*column] = match (to, new[*column]) {
                        (Set::To(value), _) => *value,
                        (Set::By(n), Value::Int(was)) => Value::Int(was + n),
                        (Set::By(_), other) => other,
                    };
                }
                let moved = key_of(*table, &new);
                refuse_if(moved != *key && self.now.get(*table, &moved).is_some())?;
                self.write(*table, Some(&old), Some(Arc::new(new)))?;
                if moved == *key { Ok(()) } else { self.left_behind(*table, key) }
            }
            Statement::Delete { table, key } => {
                let old = self.now.get(*table, key).ok_or(Refused)?.clone();
                self.write(*table, Some(&old), None)?;
                self.cascade(*table, key)?;
                self.left_behind(*table, key)
            }
        }
    }

    /// One row, with the checks of a single row.
    fn write(&mut self, table: usize, old: Option<&Arc<Row>>, new: Option<Arc<Row>>) -> Result<(), Refused> {
        if let Some(old) = old {
            self.now.remove(table, &key_of(table, old));
        }
        if let Some(new) = &new {
            let t = &SCHEMA.tables[table];
            let fits = t.columns.iter().zip(new.iter()).all(|(c, v)| c.null || !v.is_null());
            refuse_if(!fits || breaks_check(t, new, self.side))?;
            for unique in &t.uniques {
                refuse_if(self.now.having(table, unique, &some(new, unique)).next().is_some())?;
            }
            self.now.put(table, new.clone());
            refuse_if(!self.parents_there(table, new, false))?;
        }
        let then = Arc::new(self.now.clone());
        self.changes.push(Change { table, old: old.cloned(), new, then });
        Ok(())
    }

    /// The children of a row that is gone, in the order of their constraints.
    fn cascade(&mut self, table: usize, key: &[Value]) -> Result<(), Refused> {
        for (child, described) in SCHEMA.tables.iter().enumerate() {
            for reference in described.references.iter().filter(|r| r.to == table && r.on_delete != OnDelete::Refuse) {
                let found: Vec<Arc<Row>> = self.now.having(child, &[reference.column], key).cloned().collect();
                for row in found {
                    if reference.on_delete == OnDelete::Cascade {
                        self.write(child, Some(&row), None)?;
                        let key = key_of(child, &row);
                        self.cascade(child, &key)?;
                        self.left_behind(child, &key)?;
                    } else {
                        let mut new = Row::clone(&row);
                        new[reference.column] = Value::Null;
                        self.write(child, Some(&row), Some(Arc::new(new)))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Refused when rows still reference a key that is gone.
    fn left_behind(&self, table: usize, key: &[Value]) -> Result<(), Refused> {
        let mut references =
            SCHEMA.tables.iter().enumerate().flat_map(|(t, d)| d.references.iter().map(move |r| (t, r)));
        refuse_if(references.any(|(child, r)| {
            r.to == table && !r.deferred && self.now.having(child, &[r.column], key).next().is_some()
        }))
    }

    fn parents_there(&self, table: usize, row: &[Value], deferred: bool) -> bool {
        SCHEMA.tables[table].references.iter().filter(|r| r.deferred == deferred).all(|r| {
            let parent = row[r.column];
            parent.is_null() || self.now.get(r.to, &[parent]).is_some()
        })
    }
}

/// Whether a check constraint of that side refuses the row.
pub fn breaks_check(table: &Table, row: &[Value], side: Side) -> bool {
    let negative = table.not_negative.is_some_and(|c| matches!(row[c], Value::Int(n) if n < 0));
    let refused = table.refuses.is_some_and(|c| row[c] == Value::Word(REFUSED));
    negative || (refused && side == Side::Primary)
}

fn refuse_if(wrong: bool) -> Result<(), Refused> {
    if wrong { Err(Refused) } else { Ok(()) }
}

impl Statement {
    /// For the case at `place`.
    pub fn sql(&self, place: usize) -> String {
        let condition = |table: &Table, key: &[Value]| {
            let parts =
                table.key.iter().zip(key).map(|(c, v)| format!("{} = {}", table.columns[*c].name, v.sql(place)));
            parts.collect::<Vec<_>>().join(" AND ")
        };
        match self {
            Statement::Insert { table, row } => {
                let values: Vec<String> = row.iter().map(|v| v.sql(place)).collect();
                format!("INSERT INTO o.{} VALUES ({})", SCHEMA.tables[*table].name, values.join(", "))
            }
            Statement::Update { table, key, set } => {
                let table = &SCHEMA.tables[*table];
                let parts = set.iter().map(|(column, to)| {
                    let name = table.columns[*column].name;
                    match to {
                        Set::To(value) => format!("{name} = {}", value.sql(place)),
                        Set::By(n) => format!("{name} = {name} + {n}"),
                    }
                });
                let parts = parts.collect::<Vec<_>>().join(", ");
                format!("UPDATE o.{} SET {parts} WHERE {}", table.name, condition(table, key))
            }
            Statement::Delete { table, key } => {
                let table = &SCHEMA.tables[*table];
                format!("DELETE FROM o.{} WHERE {}", table.name, condition(table, key))
            }
            Statement::Undone(inner) => format!("SAVEPOINT s; {}; ROLLBACK TO s", inner.sql(place)),
        }
    }
}

/// A row as text, for comparing and reading.
pub fn shown(values: impl Iterator<Item = Option<String>>, kinds: impl Iterator<Item = Kind>) -> String {
    let part = |(value, kind): (Option<String>, Kind)| match (value, kind) {
        (None, _) => "NULL".to_owned(),
        (Some(text), Kind::Code | Kind::Word) => format!("{text:?}"),
        (Some(text), _) => text,
    };
    values.zip(kinds).map(part).collect::<Vec<_>>().join(", ")
}

/// A row of the model as text.
pub fn shown_row(table: usize, row: &[Value], place: usize) -> String {
    shown(row.iter().map(|v| v.text(place)), SCHEMA.tables[table].columns.iter().map(|c| c.kind))
}
