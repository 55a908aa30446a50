//! Keeps the primary free of us: when somebody's DDL waits behind a session of the snapshot, the snapshot ends.
//!
//! An ACCESS EXCLUSIVE lock that waits for our ACCESS SHARE makes every window behind it wait too, so a look every
//! 200 ms bounds what the windows can feel. The same session tells when the server has fallen silent.

use super::PROGRAM;
use crate::db::{Client, Server};
use crate::error::{Cannot, Error, Result};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Why a snapshot ends before it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// A lock of somebody waits behind us.
    Waited(String),
    /// A part of the snapshot has failed, so the other parts are to end.
    Failed,
}

struct Shared {
    /// Server processes of our sessions.
    ours: Mutex<Vec<i32>>,
    verdict: Mutex<Option<Verdict>>,
    answered: Mutex<Instant>,
    /// Application name of our `pg_dump`, whose process we cannot ask.
    dump: String,
}

/// A poisoned lock only means that another part died; its data are plain values.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the sessions of a snapshot need of the watch.
#[derive(Clone)]
pub struct Watched(Arc<Shared>);

impl Watched {
    /// Puts a new session under watch; refused when the snapshot is ending already. Before the session takes any lock.
    pub fn register(&self, client: &mut Client) -> Result<()> {
        let row =
            client.query_one(crate::sql!("snapshot/backend_pid.sql"), &[]).cannot("open a session to download")?;
        held(&self.0.ours).push(row.get(0));
        if self.going_on() { Ok(()) } else { Err(Error::unreachable("go on", "another session of it was lost")) }
    }

    /// False when the snapshot is to end.
    #[must_use]
    pub fn going_on(&self) -> bool {
        held(&self.0.verdict).is_none()
    }

    /// Ends all sessions of the snapshot, because a part has failed.
    pub fn abandon(&self) {
        held(&self.0.verdict).get_or_insert(Verdict::Failed);
    }

    /// The application name that our `pg_dump` must have.
    #[must_use]
    pub fn dump_name(&self) -> &str {
        &self.0.dump
    }
}

/// The watching session; it ends when this is dropped.
pub struct Watch {
    shared: Arc<Shared>,
    server: Server,
    /// On a replica: how many queries it had ended before because they were in the way of the log.
    conflicts: Option<i64>,
    _ends_with_us: Sender<()>,
}

impl Watch {
    /// Connects and begins to look.
    pub fn begin(server: &Server) -> Result<Watch> {
        let mut client = server.clone().named(PROGRAM).connect()?;
        let conflicts = conflicts(&mut client).cannot("open a session to download")?;
        let dump = format!("{PROGRAM} schema {}", std::process::id());
        let shared = Arc::new(Shared {
            ours: Mutex::default(),
            verdict: Mutex::default(),
            answered: Mutex::new(Instant::now()),
            dump,
        });
        let (ends_with_us, ended) = channel::<()>();
        let watched = Arc::clone(&shared);
        std::thread::spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(LOOK_EVERY) {
                match look(&mut client, &watched) {
                    Ok(()) => *held(&watched.answered) = Instant::now(),
                    Err(e) => {
                        // The other sessions see the same and say so; without a watch nothing may go on in any case.
                        log::debug!("the watch ended: {e}");
                        held(&watched.verdict).get_or_insert(Verdict::Failed);
                        return;
                    }
                }
            }
        });
        Ok(Watch { shared, server: server.clone(), conflicts, _ends_with_us: ends_with_us })
    }

    #[must_use]
    pub fn watched(&self) -> Watched {
        Watched(Arc::clone(&self.shared))
    }

    /// Who waited behind us, if that is why the snapshot ended.
    #[must_use]
    pub fn waited(&self) -> Option<String> {
        match &*held(&self.shared.verdict) {
            Some(Verdict::Waited(who)) => Some(who.clone()),
            _ => None,
        }
    }

    /// Whether a replica ended it for the sake of the log: it says so, or of a session that was simply lost, counts so.
    #[must_use]
    pub fn was_ended_by_the_log(&self, error: &Error) -> bool {
        let text = error.to_string();
        if text.contains("conflict with recovery") || text.contains("(SQLSTATE 40001)") {
            return true;
        }
        let Some(before) = self.conflicts else { return false };
        // A session that was ended writes its count a moment later.
        (0..10).any(|tries| {
            std::thread::sleep(LOOK_EVERY * u32::from(tries > 0));
            let now = self.server.clone().named(PROGRAM).connect().ok().and_then(|mut c| conflicts(&mut c).ok()?);
            now.is_some_and(|now| now > before)
        })
    }

    /// How long the server has said nothing.
    #[must_use]
    pub fn silence(&self) -> Duration {
        held(&self.shared.answered).elapsed()
    }
}

fn conflicts(client: &mut Client) -> Result<Option<i64>, tokio_postgres::Error> {
    Ok(client.query_opt(crate::sql!("snapshot/replica_conflicts.sql"), &[])?.map(|row| row.get(0)))
}

fn look(client: &mut Client, shared: &Shared) -> Result<(), tokio_postgres::Error> {
    let ours = held(&shared.ours).clone();
    if held(&shared.verdict).is_none() {
        let Some(row) = client.query_opt(crate::sql!("snapshot/waiting_behind.sql"), &[&ours, &shared.dump])? else {
            return Ok(());
        };
        let (pid, mode, target): (i32, &str, &str) = (row.get(0), row.get(1), row.get(2));
        let who = format!("process {pid} of the server waits for {mode} on {target} behind it");
        held(&shared.verdict).get_or_insert(Verdict::Waited(who));
    }
    // Again at each look, for a session that came in between.
    client.query(crate::sql!("snapshot/end_ours.sql"), &[&ours, &shared.dump]).map(drop)
}
