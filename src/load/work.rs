//! Work on one database shared among a few sessions: the first error ends it for all.

use crate::db::{Client, Server};
use crate::error::{Cannot, Error, Result};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

/// Sessions that fill and build at once: enough to keep the cores of a small server busy, few enough to leave it alive.
#[must_use]
pub fn workers() -> usize {
    thread::available_parallelism().map_or(2, usize::from).clamp(2, 4)
}

/// A session that finds what functions of the HIS name without a schema: indexes, keys and views call them.
pub fn session(standby: &Server, database: &str, search_path: &str) -> Result<Client> {
    let mut client = standby.connect_to(database)?;
    client.execute(crate::sql!("load/search_path.sql"), &[&search_path, &false]).cannot("set up a session")?;
    Ok(client)
}

/// Does `work` with each item, in order, by at most `workers` sessions in `database`.
pub fn share<T: Sync>(
    standby: &Server,
    (database, search_path): (&str, &str),
    items: &[T],
    workers: usize,
    work: impl Fn(&mut Client, &T) -> Result<()> + Sync,
) -> Result<()> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let one = || -> Result<()> {
        let mut client = None;
        while !failed.load(Ordering::Relaxed) {
            let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            work(opened(&mut client, standby, database, search_path)?, item)?;
        }
        Ok(())
    };
    side_by_side(workers.min(items.len()), || one().inspect_err(|_| failed.store(true, Ordering::Relaxed)))
}

fn opened<'a>(
    client: &'a mut Option<Client>,
    standby: &Server,
    database: &str,
    search_path: &str,
) -> Result<&'a mut Client> {
    Ok(match client {
        Some(client) => client,
        none => none.insert(session(standby, database, search_path)?),
    })
}

/// The first error of any of them is the outcome.
fn side_by_side(workers: usize, one: impl Fn() -> Result<()> + Sync) -> Result<()> {
    thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(&one)).collect();
        let mut first = Ok(());
        for thread in running {
            let ended =
                thread.join().unwrap_or_else(|_| Err(Error::failed("fill the standby", "a worker ended unexpectedly")));
            first = first.and(ended);
        }
        first
    })
}

/// Something to be done once other things are done.
#[derive(Debug)]
pub struct Task<T> {
    pub item: T,
    /// The table that it works on, by a number of the caller's. Server locks would make the second of two that cannot share a
    /// table wait, and its worker with it.
    pub table: Option<usize>,
    /// Cannot share its table with any other.
    pub alone: bool,
    /// Places of the tasks that come first.
    pub after: Vec<usize>,
}

/// Where all tasks stand.
struct Board {
    /// Not begun, in the order of the tasks.
    waiting: Vec<usize>,
    /// How many must still be done before each.
    lacking: Vec<usize>,
    /// Tables in use: by how many, and whether by one alone.
    used: BTreeMap<usize, (usize, bool)>,
    running: usize,
    failed: bool,
}

impl Board {
    fn of<T>(tasks: &[Task<T>]) -> Board {
        Board {
            waiting: (0..tasks.len()).collect(),
            lacking: tasks.iter().map(|t| t.after.len()).collect(),
            used: BTreeMap::new(),
            running: 0,
            failed: false,
        }
    }

    /// Takes the first task that can be begun now.
    fn take<T>(&mut self, tasks: &[Task<T>]) -> Option<usize> {
        let free = |n: &usize| {
            let task = &tasks[*n];
            let used = task.table.and_then(|t| self.used.get(&t));
            self.lacking[*n] == 0 && used.is_none_or(|(_, alone)| !task.alone && !alone)
        };
        let at = self.waiting.iter().position(free)?;
        let n = self.waiting.remove(at);
        if let Some(table) = tasks[n].table {
            let used = self.used.entry(table).or_default();
            *used = (used.0 + 1, tasks[n].alone);
        }
        self.running += 1;
        Some(n)
    }

    fn done<T>(&mut self, n: usize, tasks: &[Task<T>], followers: &[Vec<usize>]) {
        if let Some(table) = tasks[n].table
            && let Some(used) = self.used.get_mut(&table)
        {
            used.0 -= 1;
            if used.0 == 0 {
                self.used.remove(&table);
            }
        }
        self.running -= 1;
        followers[n].iter().for_each(|f| self.lacking[*f] -= 1);
    }
}

/// Tells the others when a worker dies in its work, or they would wait for it for ever.
struct Alarm<'a>(Option<(&'a Mutex<Board>, &'a Condvar)>);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if let Some((board, changed)) = self.0 {
            board.lock().unwrap_or_else(PoisonError::into_inner).failed = true;
            changed.notify_all();
        }
    }
}

/// Does all tasks by at most `workers` sessions in `database`, the first that can be begun first.
pub fn in_order<T: Sync>(
    standby: &Server,
    (database, search_path): (&str, &str),
    tasks: &[Task<T>],
    workers: usize,
    work: impl Fn(&mut Client, &T) -> Result<()> + Sync,
) -> Result<()> {
    by_board(tasks, workers, |client, item| work(opened(client, standby, database, search_path)?, item))
}

/// Each worker has something of its own, a session, from its first task on.
fn by_board<T: Sync, Own>(
    tasks: &[Task<T>],
    workers: usize,
    work: impl Fn(&mut Option<Own>, &T) -> Result<()> + Sync,
) -> Result<()> {
    let mut followers = vec![Vec::new(); tasks.len()];
    tasks.iter().enumerate().for_each(|(n, t)| t.after.iter().for_each(|first| followers[*first].push(n)));
    let (board, changed) = (Mutex::new(Board::of(tasks)), Condvar::new());
    let held = || board.lock().unwrap_or_else(PoisonError::into_inner);
    let next = || {
        let mut board = held();
        loop {
            if board.failed {
                return None;
            }
            if let Some(n) = board.take(tasks) {
                return Some(n);
            }
            // With none running, nothing that waits can ever be begun.
            if board.waiting.is_empty() || board.running == 0 {
                return None;
            }
            board = changed.wait(board).unwrap_or_else(PoisonError::into_inner);
        }
    };
    let one = || -> Result<()> {
        let mut own = None;
        while let Some(n) = next() {
            let mut alarm = Alarm(Some((&board, &changed)));
            let outcome = work(&mut own, &tasks[n].item);
            alarm.0 = None;
            let mut board = held();
            board.done(n, tasks, &followers);
            board.failed |= outcome.is_err();
            changed.notify_all();
            drop(board);
            outcome?;
        }
        Ok(())
    };
    side_by_side(workers.min(tasks.len()), one)?;
    let left = held().waiting.len();
    if left > 0 {
        return Err(Error::failed("fill the standby", format!("{left} steps wait for each other")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn task(table: usize, alone: bool, after: &[usize]) -> Task<()> {
        Task { item: (), table: Some(table), alone, after: after.to_vec() }
    }

    #[test]
    fn what_cannot_share_its_table_waits_and_another_is_taken_meanwhile() {
        let tasks =
            [task(1, true, &[]), task(1, false, &[0]), task(1, true, &[0]), task(1, false, &[0]), task(2, true, &[])];
        let followers = [vec![1, 2, 3], vec![], vec![], vec![], vec![]];
        let mut board = Board::of(&tasks);
        assert_eq!((board.take(&tasks), board.take(&tasks), board.take(&tasks)), (Some(0), Some(4), None));
        board.done(0, &tasks, &followers);
        // Two share the table; the one that would be alone is passed over until both have ended.
        assert_eq!((board.take(&tasks), board.take(&tasks), board.take(&tasks)), (Some(1), Some(3), None));
        board.done(1, &tasks, &followers);
        assert_eq!(board.take(&tasks), None);
        board.done(3, &tasks, &followers);
        assert_eq!((board.take(&tasks), board.waiting.len()), (Some(2), 0));
    }

    #[test]
    fn a_worker_that_dies_ends_the_load_and_nobody_waits_for_what_it_had_begun() {
        let (tell, told) = std::sync::mpsc::channel();
        thread::spawn(move || {
            // The second worker waits for what the first one has begun, and the third task is never begun.
            let tasks = [task(1, true, &[]), task(1, true, &[0]), task(2, true, &[1])];
            let outcome = by_board(&tasks, 2, |_: &mut Option<()>, ()| {
                thread::sleep(Duration::from_millis(100));
                panic!("as a fault of ours would end it")
            });
            tell.send(outcome.map_err(|e| e.to_string()))
        });
        let outcome = told.recv_timeout(Duration::from_secs(20)).expect("it ends");
        assert!(outcome.is_err_and(|e| e.contains("a worker ended unexpectedly")));
    }
}
