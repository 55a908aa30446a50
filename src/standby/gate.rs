//! Opening and closing. The gate guards; the read-only default of the database only steers (it is the switch's business).

use crate::db::{Client, Server};
use crate::error::{Cannot, Error, Result};
use std::time::{Duration, Instant};

/// A transaction that was ended because it did not finish within the drain time.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Ended {
    pub pid: i32,
    pub user: String,
    pub application: String,
    pub address: String,
}

/// Opens the gate of the database of `client` under `epoch`. Done when it returns: the value is flushed by the commit.
pub fn open(client: &mut Client, epoch: u64) -> Result<()> {
    let epoch = i64::try_from(epoch).map_err(|e| Error::failed("open the standby", e))?;
    let mut tx = client.transaction().cannot("open the standby")?;
    tx.batch_execute("SET LOCAL synchronous_commit = on").cannot("open the standby")?;
    tx.query(crate::sql!("standby/gate_open.sql"), &[&epoch]).cannot("open the standby")?;
    tx.commit().cannot("open the standby")
}

/// Closes the gate: waits up to `drain` for running transactions, ends the rest, then shuts. After it returns nothing
/// commits there any more.
///
/// The exclusive lock is asked for first: whoever has passed the gate may finish, whoever comes now waits, and finds
/// it shut afterwards. Were it shut first, a transaction would break between two of its statements.
pub fn close(server: &Server, database: &str, drain: Duration) -> Result<Vec<Ended>> {
    let doing = || format!("close the standby '{database}'");
    let mut client = server.connect_to(database)?;
    let mut watcher = server.connect_to(database)?;
    let waiting = std::thread::spawn(move || -> std::result::Result<(), tokio_postgres::Error> {
        let mut tx = client.transaction()?;
        tx.batch_execute("SET LOCAL synchronous_commit = on")?;
        tx.query(crate::sql!("standby/gate_lock.sql"), &[])?;
        tx.query(crate::sql!("standby/gate_close.sql"), &[])?;
        tx.commit()
    });
    let started = Instant::now();
    let mut ended = Vec::new();
    while !waiting.is_finished() {
        // Polled, because the drain time is in our hands: ending the wait by a time-out would give up the place in the queue.
        std::thread::sleep(Duration::from_millis(5));
        if started.elapsed() >= drain {
            for row in watcher.query(crate::sql!("standby/gate_holders.sql"), &[]).cannot(doing())? {
                let holder = Ended { pid: row.get(0), user: row.get(1), application: row.get(2), address: row.get(3) };
                if !ended.contains(&holder) {
                    ended.push(holder);
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    match waiting.join() {
        Ok(result) => result.cannot(doing()).map(|()| ended),
        Err(_) => Err(Error::failed(doing(), "the closing thread ended unexpectedly")),
    }
}
