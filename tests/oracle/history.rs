//! Cases: rows that both sides have, what the primary does on its own, and what the windows do on the standby.

use super::brute::Unit;
use super::meet;
use super::schema::{Kind, REFUSED, SCHEMA, Table, WORDS, table, with};
use super::server::{Key, Row, Running, Set, Side, State, Statement, Value};
use crate::support::random::Random;

/// How many batches the windows' work of a world is cut into.
pub const BATCHES: usize = 4;

#[derive(Debug, Clone)]
pub struct Transaction {
    pub statements: Vec<Statement>,
    pub rolled_back: bool,
    /// Of the standby: the batch that brings it, from 0.
    pub batch: usize,
}

#[derive(Debug, Clone)]
pub struct Case {
    pub start: State,
    pub meanwhile: Vec<Transaction>,
    pub window: Vec<Transaction>,
}

/// What comes of a case's histories before the two sides meet.
#[derive(Debug)]
pub struct Played {
    pub primary: State,
    pub standby: State,
    pub units: Vec<Unit>,
    /// Of each unit, the number of its transaction.
    pub transaction: Vec<usize>,
}

impl Case {
    /// Runs both histories on the model. A statement that the server would refuse is left out of the case, which
    /// happens only after something has been taken out of it.
    pub fn play(&mut self) -> Played {
        let mut played = Played {
            primary: self.start.clone(),
            standby: self.start.clone(),
            units: Vec::new(),
            transaction: Vec::new(),
        };
        for transaction in &mut self.meanwhile {
            run(transaction, Side::Primary, &mut played.primary);
        }
        for (number, transaction) in self.window.iter_mut().enumerate() {
            if let Some(unit) = run(transaction, Side::Standby, &mut played.standby) {
                played.units.push(unit);
                played.transaction.push(number);
            }
        }
        played
    }
}

/// Runs one transaction; gives its unit when it changed something.
fn run(transaction: &mut Transaction, side: Side, state: &mut State) -> Option<Unit> {
    let mut running = Running::new(side, state.clone());
    transaction.statements.retain(|s| running.run(s).is_ok());
    if !running.can_commit() {
        transaction.rolled_back = true;
    }
    if transaction.rolled_back {
        return None;
    }
    *state = running.now;
    (!running.changes.is_empty()).then_some(Unit { changes: running.changes })
}

/// Makes a case.
pub fn case(random: &mut Random) -> Case {
    let mut maker = Maker::new(random);
    let start = maker.start();
    let mut window = Vec::new();
    let mut now = start.clone();
    let units = maker.random.between(3, 9);
    while i32::try_from(window.len()).is_ok_and(|n| n < units) {
        maker.some_work(&mut now, &mut window);
    }
    if with("batches") {
        let mut batches: Vec<usize> = window.iter().map(|_| maker.random.below(BATCHES)).collect();
        batches.sort_unstable();
        window.iter_mut().zip(batches).for_each(|(t, batch)| t.batch = batch);
    }
    let mut case = Case { start, meanwhile: Vec::new(), window };
    meet::meanwhile(&mut maker, &mut case);
    case
}

/// Makes statements for one side of one case.
pub struct Maker<'a> {
    pub random: &'a mut Random,
    /// Tables that this case works on.
    tables: Vec<usize>,
    pub side: Side,
    fresh: i32,
}

impl<'a> Maker<'a> {
    fn new(random: &'a mut Random) -> Self {
        let groups: Vec<usize> = (0..SCHEMA.groups).filter(|g| SCHEMA.tables.iter().any(|t| t.group == *g)).collect();
        let mut chosen: Vec<usize> = (0..=random.below(2)).filter_map(|_| random.pick(&groups).copied()).collect();
        if random.percent(25) {
            chosen.push(SCHEMA.tables[table("charge")].group);
        }
        let tables = (0..SCHEMA.tables.len()).filter(|t| chosen.contains(&SCHEMA.tables[*t].group)).collect();
        Self { random, tables, side: Side::Standby, fresh: 500 }
    }

    /// From here on for the primary.
    pub fn for_the_primary(&mut self) {
        (self.side, self.fresh) = (Side::Primary, 300);
    }

    /// Rows that both sides begin with.
    fn start(&mut self) -> State {
        let mut running = Running::new(Side::Primary, State::empty());
        self.fresh = 1;
        for t in self.tables.clone() {
            for _ in 0..=self.random.below(3) {
                for _ in 0..8 {
                    if self.insert(&running.now, t).is_some_and(|s| running.run(&s).is_ok()) {
                        break;
                    }
                }
            }
        }
        if !running.can_commit() {
            return State::empty();
        }
        self.fresh = 500;
        running.now
    }

    /// One transaction, or several of a client that commits row by row.
    fn some_work(&mut self, now: &mut State, into: &mut Vec<Transaction>) {
        let clinic = self.tables.contains(&table("charge"));
        if clinic && self.random.percent(25) {
            let rows = self.bill(now);
            let row_by_row = self.random.percent(50);
            let groups = if row_by_row { rows.into_iter().map(|s| vec![s]).collect() } else { vec![rows] };
            for statements in groups {
                self.commit(now, statements, into);
            }
            return;
        }
        let mut running = Running::new(self.side, now.clone());
        let mut statements = Vec::new();
        for _ in 0..=self.random.below(4) {
            self.one_more(&mut running, &mut statements);
        }
        if running.can_commit() && !statements.is_empty() {
            let rolled_back = with("undone") && self.random.percent(4);
            if !rolled_back {
                *now = running.now;
            }
            into.push(Transaction { statements, rolled_back, batch: 0 });
        }
    }

    /// Adds a statement that the server takes, or a few that belong together; after some tries, nothing.
    fn one_more(&mut self, running: &mut Running, statements: &mut Vec<Statement>) {
        for _ in 0..8 {
            let proposed = self.propose(&running.now);
            let (before, changes) = (running.now.clone(), running.changes.len());
            if !proposed.is_empty() && proposed.iter().all(|s| running.run(s).is_ok()) {
                statements.extend(proposed);
                return;
            }
            running.now = before;
            running.changes.truncate(changes);
        }
    }

    fn commit(&mut self, now: &mut State, mut statements: Vec<Statement>, into: &mut Vec<Transaction>) {
        let mut running = Running::new(self.side, now.clone());
        statements.retain(|s| running.run(s).is_ok());
        if running.can_commit() && !statements.is_empty() {
            *now = running.now;
            into.push(Transaction { statements, rolled_back: false, batch: 0 });
        }
    }

    /// A statement or a few, without knowing whether the server takes them.
    pub fn propose(&mut self, now: &State) -> Vec<Statement> {
        let Some(&t) = self.random.pick(&self.tables) else { return Vec::new() };
        let one = |statement: Option<Statement>| statement.into_iter().collect();
        match self.random.below(100) {
            0..34 => one(self.insert(now, t)),
            70..82 => one(self.delete(now, t)),
            82..88 if with("swaps") => self.swap(now, t),
            88..92 if with("key-changes") => one(self.change_key(now, t)),
            92..95 if with("undone") => {
                let inner = if self.random.percent(50) { self.insert(now, t) } else { self.update(now, t) };
                one(inner.map(|s| Statement::Undone(Box::new(s))))
            }
            95..100 if with("deferred") => self.pair(now),
            _ => one(self.update(now, t)),
        }
    }

    pub fn fresh(&mut self) -> Value {
        self.fresh += 1;
        Value::Id(self.fresh - 1)
    }

    fn key_value(&mut self) -> Value {
        match self.random.below(100) {
            0..6 => Value::Id(self.random.between(1, 4)),
            6..9 => Value::Id(self.random.between(300, 302)),
            _ => self.fresh(),
        }
    }

    /// A row with random values; `None` when it must reference something that is not there.
    pub fn row(&mut self, now: &State, t: usize) -> Option<Row> {
        let described: &Table = &SCHEMA.tables[t];
        (0..described.columns.len())
            .map(|c| match described.key[..] {
                [key] if key == c => Some(self.key_value()),
                _ => self.value(now, described, c),
            })
            .collect()
    }

    fn insert(&mut self, now: &State, t: usize) -> Option<Statement> {
        Some(Statement::Insert { table: t, row: self.row(now, t)? })
    }

    /// A value for a column that is no key of its own.
    pub fn value(&mut self, now: &State, described: &Table, c: usize) -> Option<Value> {
        let column = &described.columns[c];
        if let Some(reference) = described.reference(c) {
            // A second refund is rarer than a charge.
            if column.null && self.random.percent(if described.once.contains(&c) { 70 } else { 20 }) {
                return Some(Value::Null);
            }
            let keys: Vec<&Key> = now.0[reference.to].keys().collect();
            return self.random.pick(&keys).map(|key| key[0]);
        }
        if column.null && self.random.percent(if column.kind == Kind::Code { 35 } else { 10 }) {
            return Some(Value::Null);
        }
        Some(match column.kind {
            Kind::Id => self.fresh(),
            Kind::Code => Value::Code(self.random.between(1, 7)),
            Kind::Int if described.number.contains(&c) => Value::Int(0),
            Kind::Int if described.counter.contains(&c) => Value::Int(self.random.between(1, 6)),
            Kind::Int => Value::Int(self.random.between(1, 3)),
            Kind::Word if described.refuses == Some(c) && self.side == Side::Standby && self.random.percent(8) => {
                Value::Word(REFUSED)
            }
            Kind::Word => Value::Word(self.random.below(WORDS.len())),
            Kind::Cents => Value::Cents(self.random.between(-3000, 9999)),
        })
    }

    fn existing(&mut self, now: &State, t: usize) -> Option<Key> {
        let keys: Vec<&Key> = now.0[t].keys().collect();
        self.random.pick(&keys).map(|key| (*key).clone())
    }

    fn update(&mut self, now: &State, t: usize) -> Option<Statement> {
        let key = self.existing(now, t)?;
        let described = &SCHEMA.tables[t];
        let mut set: Vec<(usize, Set)> = Vec::new();
        let others: Vec<usize> = (0..described.columns.len()).filter(|c| !described.key.contains(c)).collect();
        for _ in 0..=self.random.below(2) {
            let c = *self.random.pick(&others)?;
            if set.iter().any(|(done, _)| *done == c) {
                continue;
            }
            set.push((c, self.set(now, t, &key, c)?));
        }
        Some(Statement::Update { table: t, key, set })
    }

    /// What an update sets a column to.
    pub fn set(&mut self, now: &State, t: usize, key: &[Value], c: usize) -> Option<Set> {
        let described = &SCHEMA.tables[t];
        if described.counter.contains(&c) || described.number.contains(&c) {
            return Some(Set::By(self.random.between(-2, 1)));
        }
        if with("no-change") && self.random.percent(5) {
            return Some(Set::To(now.get(t, key)?[c]));
        }
        Some(Set::To(self.value(now, described, c)?))
    }

    fn delete(&mut self, now: &State, t: usize) -> Option<Statement> {
        Some(Statement::Delete { table: t, key: self.existing(now, t)? })
    }

    fn change_key(&mut self, now: &State, t: usize) -> Option<Statement> {
        let key = self.existing(now, t)?;
        let column = *self.random.pick(&SCHEMA.tables[t].key)?;
        let to =
            if SCHEMA.tables[t].key.len() > 1 { self.value(now, &SCHEMA.tables[t], column)? } else { self.key_value() };
        Some(Statement::Update { table: t, key, set: vec![(column, Set::To(to))] })
    }

    /// Two rows swap a unique value by way of another.
    fn swap(&mut self, now: &State, t: usize) -> Vec<Statement> {
        let Some(&c) = SCHEMA.tables[t].uniques.iter().find_map(|u| if let [c] = &u[..] { Some(c) } else { None })
        else {
            return Vec::new();
        };
        let with_value: Vec<&Key> = now.0[t].iter().filter(|(_, row)| !row[c].is_null()).map(|(key, _)| key).collect();
        let (Some(a), Some(b)) = (self.random.pick(&with_value), self.random.pick(&with_value)) else {
            return Vec::new();
        };
        if a == b {
            return Vec::new();
        }
        let between = if self.random.percent(50) { Value::Null } else { Value::Code(self.random.between(8, 9)) };
        let set = |key: &Key, value| Statement::Update { table: t, key: key.clone(), set: vec![(c, Set::To(value))] };
        let (of_a, of_b) = (now.0[t][*a][c], now.0[t][*b][c]);
        vec![set(a, between), set(b, of_a), set(a, of_b)]
    }

    /// Two rows that reference each other.
    fn pair(&mut self, now: &State) -> Vec<Statement> {
        let (a, b) = (table("ring_a"), table("ring_b"));
        if !self.tables.contains(&a) {
            return Vec::new();
        }
        let (of_a, of_b) = (self.key_value(), self.key_value());
        let (Some(mut first), Some(mut second)) = (self.row(now, a), self.row(now, a)) else { return Vec::new() };
        (first[0], first[1]) = (of_a, of_b);
        (second[0], second[1]) = (of_b, of_a);
        vec![Statement::Insert { table: a, row: first }, Statement::Insert { table: b, row: second }]
    }

    /// A charge with its lines and payments.
    fn bill(&mut self, now: &State) -> Vec<Statement> {
        let [charge, line, payment] = ["charge", "line", "payment"].map(table);
        let Some(mut header) = self.row(now, charge) else { return Vec::new() };
        header[0] = self.fresh();
        let id = header[0];
        let mut rows = vec![Statement::Insert { table: charge, row: header }];
        for no in 1..=self.random.between(1, 2) {
            let amount = Value::Cents(self.random.between(1, 9999));
            let row = vec![self.fresh(), id, amount, Value::Word(0)];
            rows.push(Statement::Insert { table: line, row });
            if self.random.percent(60) {
                rows.push(Statement::Insert { table: payment, row: vec![id, Value::Int(no), amount] });
            }
        }
        if self.random.percent(20) {
            let note = vec![(SCHEMA.tables[charge].at("note"), Set::To(Value::Word(self.random.below(WORDS.len()))))];
            rows.push(Statement::Update { table: charge, key: vec![id], set: note });
        }
        rows
    }
}
