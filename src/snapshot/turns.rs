//! Which worker does what next: a table of its own, or, when none is left, a part of a big one that another has begun. So no core
//! is idle while the biggest table is read.

use super::plan::Planned;
use super::ranges::Shared;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What a worker is to do.
pub enum Next {
    /// A table, by its place in the profile.
    Table(usize),
    /// To read some of a table with the worker that has begun it.
    Help(Arc<Shared>),
}

struct Board {
    /// Filters may call `now()`, which differs from session to session by milliseconds: all of one session, one time.
    filtered: Vec<usize>,
    /// Smallest first, so that `pop` gives the biggest.
    plain: Vec<usize>,
    /// Workers with something to do; one of them may still begin a big table.
    busy: usize,
    open: Vec<Arc<Shared>>,
}

/// The tables that wait, by their place in the profile, and those that are being read by several.
pub struct Turns {
    board: Mutex<Board>,
    changed: Condvar,
}

/// A worker's turn, until it is dropped.
pub struct Turn<'a> {
    pub next: Next,
    turns: &'a Turns,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.board().busy -= 1;
        self.turns.changed.notify_all();
    }
}

impl Turns {
    pub fn of(planned: &[Planned]) -> Turns {
        let (filtered, mut plain): (Vec<usize>, Vec<usize>) =
            (0..planned.len()).rev().partition(|i| planned[*i].filter.is_some());
        plain.sort_by_key(|i| planned[*i].estimated_rows);
        let board = Board { filtered, plain, busy: 0, open: Vec::new() };
        Turns { board: Mutex::new(board), changed: Condvar::new() }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        // Plain lists and a count: whole whenever the lock is let go.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to do; `None` when all is done. Only the first worker is given filtered tables.
    pub fn next(&self, first: bool) -> Option<Turn<'_>> {
        let mut board = self.board();
        loop {
            let filtered = if first { board.filtered.pop() } else { None };
            let table = filtered.or_else(|| board.plain.pop()).map(Next::Table);
            let help = || board.open.iter().find(|shared| shared.ranges.are_left()).cloned().map(Next::Help);
            if let Some(next) = table.or_else(help) {
                board.busy += 1;
                return Some(Turn { next, turns: self });
            }
            if board.busy == 0 {
                return None;
            }
            board = self.changed.wait(board).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets the others help.
    pub fn open(&self, shared: Arc<Shared>) {
        self.board().open.push(shared);
        self.changed.notify_all();
    }

    /// Nobody begins to help any more.
    pub fn close(&self, shared: &Arc<Shared>) {
        self.board().open.retain(|other| !Arc::ptr_eq(other, shared));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;
    use crate::seal::Seal;
    use crate::snapshot::leader::Own;
    use crate::snapshot::ranges::Ranges;
    use crate::snapshot::sink::Sink;

    fn planned(rows: i64, filter: bool) -> Planned {
        let name = catalog::Name { schema: "s".to_owned(), name: "t".to_owned() };
        let described = catalog::Table {
            name,
            partitioned: false,
            parent: None,
            owner: String::new(),
            row_security: false,
            estimated_rows: rows,
            columns: Vec::new(),
            uniques: Vec::new(),
            foreign_keys: Vec::new(),
            triggers: Vec::new(),
        };
        Planned {
            described,
            columns: Vec::new(),
            filter: filter.then(|| "true".to_owned()),
            estimated_rows: rows,
            raised: false,
        }
    }

    fn table(turn: &Turn) -> Option<usize> {
        match turn.next {
            Next::Table(place) => Some(place),
            Next::Help(_) => None,
        }
    }

    #[test]
    fn the_first_worker_takes_all_filtered_tables_and_the_biggest_of_the_others_come_first() {
        let turns = Turns::of(&[planned(5, false), planned(1, true), planned(50, false), planned(9, true)]);
        let held: Vec<_> = [false, true, true, true].map(|first| turns.next(first).expect("a table")).into();
        assert_eq!(held.iter().map(table).collect::<Vec<_>>(), [Some(2), Some(1), Some(3), Some(0)]);
        drop(held);
        assert!(turns.next(true).is_none());
    }

    #[test]
    fn who_has_nothing_to_do_waits_for_a_big_table_to_be_begun_and_helps() {
        let turns = &Turns::of(&[planned(5, false)]);
        let dir = tempfile::tempdir().unwrap();
        let sink = Sink::open(dir.path().join("f"), Seal::default(), false);
        let own = turns.next(true).expect("the table");
        let helped = std::thread::scope(|scope| {
            let other = scope.spawn(move || match &turns.next(false).expect("something to do").next {
                Next::Help(shared) => std::iter::from_fn(|| shared.ranges.take()).count(),
                Next::Table(_) => 0,
            });
            let ranges = Arc::new(Ranges::of(1500, 1).expect("a big table"));
            let shared = Arc::new(Shared { place: 0, ranges, feed: sink.feed(), settings: Own::pinned() });
            turns.open(Arc::clone(&shared));
            let helped = other.join().expect("it ends");
            turns.close(&shared);
            helped
        });
        assert_eq!(helped, 3);
        drop(own);
        assert!(turns.next(false).is_none());
    }
}
