//! Work on one database shared among a few sessions: the first error ends it for all.

use crate::db::{Client, Server};
use crate::error::{Cannot, Error, Result};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
            let client = match &mut client {
                Some(client) => client,
                none => none.insert(session(standby, database, search_path)?),
            };
            work(client, item)?;
        }
        Ok(())
    };
    let guarded = || one().inspect_err(|_| failed.store(true, Ordering::Relaxed));
    thread::scope(|scope| {
        let running: Vec<_> = (0..workers.min(items.len())).map(|_| scope.spawn(guarded)).collect();
        let mut first = Ok(());
        for thread in running {
            let ended =
                thread.join().unwrap_or_else(|_| Err(Error::failed("fill the standby", "a worker ended unexpectedly")));
            first = first.and(ended);
        }
        first
    })
}
