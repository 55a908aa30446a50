//! Opening a generation for the windows: it takes the standby's name, its numbers go on, its gate opens, and new
//! connections are let land on it. Each step finds out how far a killed run came.

use super::ours;
use crate::cli::Site;
use crate::db::{Client, Server, reason, sql};
use crate::error::{Cannot, Error, Exit, Result};
use crate::standby::{self, Gate, Generation, numbers};
use minijinja::context;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio_postgres::error::SqlState;

/// A swap that has not come through in this time will not: something holds a database that cannot be ended.
const SWAP_LIMIT: Duration = Duration::from_secs(20);

/// Refuses prepared transactions in `databases`: nobody can end them, and nothing can be renamed or closed under them.
pub fn refuse_prepared(client: &mut Client, databases: &[String]) -> Result<()> {
    let rows = client
        .query(crate::sql!("switch/prepared.sql"), &[&databases])
        .cannot("look for prepared transactions on the standby")?;
    let names: Vec<String> =
        rows.iter().map(|r| format!("'{}' in '{}'", r.get::<_, &str>(0), r.get::<_, &str>(1))).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Error::refused("move the windows", format!("the standby has prepared transactions: {}", names.join(", ")))
        .hint("end each in its database with COMMIT PREPARED or ROLLBACK PREPARED, and set max_prepared_transactions = 0."))
}

/// Gives `generation` the standby's name; the database that had it goes back to its own. One transaction.
///
/// Afterwards it is looked up which database has the name, so a run that was killed in between is simply done again.
pub fn take_name(standby: &Server, generation: &Generation, current: Option<&Generation>) -> Result<()> {
    let name = standby.database();
    if generation.database == name {
        return Ok(());
    }
    let doing = || format!("give generation {} the name '{name}'", generation.number);
    let mut renames = Vec::new();
    let mut databases = vec![generation.database.clone()];
    if let Some(current) = current {
        renames.push((name.to_owned(), Generation::database_name(name, current.number)));
        databases.push(name.to_owned());
    }
    renames.push((generation.database.clone(), name.to_owned()));
    let mut text = "SET LOCAL synchronous_commit = on;\n".to_owned();
    for (from, to) in &renames {
        text += &sql::render(crate::sql!("switch/rename.sql"), context! { from, to })?;
        text.push_str(";\n");
    }
    let mut client = standby.connect_to("postgres")?;
    let mut ender = standby.connect_to("postgres")?;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Windows try the closed standby first, so somebody is always just connected; a rename waits for an empty moment.
        let ending = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                if let Err(e) = ender.query(crate::sql!("switch/end_all_sessions.sql"), &[&databases]) {
                    log::warn!("sessions on the standby cannot be ended: {}", reason::of(&e).1);
                    return;
                }
                std::thread::sleep(Duration::from_millis(25));
            }
        });
        let outcome = rename(&mut client, &text, &doing());
        done.store(true, Ordering::Relaxed);
        let _ = ending.join();
        outcome
    })
}

fn rename(client: &mut Client, text: &str, doing: &str) -> Result<()> {
    let started = Instant::now();
    loop {
        let mut tx = client.transaction().cannot(doing)?;
        match tx.batch_execute(text).and_then(|()| tx.commit()) {
            Err(e) if e.code() == Some(&SqlState::OBJECT_IN_USE) && started.elapsed() < SWAP_LIMIT => {}
            Err(e) if e.code() == Some(&SqlState::OBJECT_IN_USE) => {
                return Err(e).cannot(doing).map_err(|e| {
                    e.with_exit(Exit::Refused)
                        .hint("end the sessions in that database by hand, then run the same command again.")
                });
            }
            other => return other.cannot(doing),
        }
    }
}

/// How an opening ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The gate had been left open by a server that died.
    pub confirmed: bool,
    /// It was open already.
    pub already: bool,
}

/// Opens the gate of the database that has the standby's name, which must be generation `number`, under `epoch`.
///
/// Numbers first, because the first window may ask for one in the next instant; the read-only default last, because it
/// is what sends windows here.
pub fn open_gate(site: &Site, standby: &Server, number: u64, event: &str, epoch: u64) -> Result<Opened> {
    let name = standby.database();
    let doing = || format!("open generation {number}");
    let mut client = standby.connect()?;
    let there = Generation::read(&mut client, name)?.filter(|g| g.number == number).ok_or_else(|| {
        Error::refused(doing(), format!("the database '{name}' is another one")).hint("run the same command again.")
    })?;
    let confirmed = there.gate == Gate::DiedOpen;
    let already = there.gate == Gate::Open && there.epoch == epoch;
    if !already {
        let margin = if confirmed { numbers::AFTER_A_CRASH } else { 0 };
        numbers::advance(site, &mut client, margin, None)?;
        client.execute(crate::sql!("switch/mark_opened.sql"), &[&event]).cannot(doing())?;
        standby::open(&mut client, epoch)?;
    }
    steer(&mut client, name, Steer::Here)?;
    if confirmed {
        let detail = json!({ "generation": number, "numbers_skipped": numbers::AFTER_A_CRASH });
        site.store.journal().write(&site.by, "confirm standby", Some(event), "done", detail)?;
    }
    Ok(Opened { confirmed, already })
}

/// Where new connections go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steer {
    Here,
    Away,
}

/// Changes the read-only default of `database`; sessions that are there keep what they have.
pub fn steer(client: &mut Client, database: &str, to: Steer) -> Result<()> {
    let template = match to {
        Steer::Here => crate::sql!("switch/steer_here.sql"),
        Steer::Away => crate::sql!("switch/steer_away.sql"),
    };
    let text = sql::render(template, context! { database })?;
    client.batch_execute(&text).cannot(format!("steer the windows at '{database}'"))
}

/// A session of a window that was ended when the standby closed.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Closed {
    /// Transactions that did not finish within the drain time.
    pub drained: Vec<standby::Ended>,
    /// Sessions that were ended after the gate was shut.
    pub sessions: usize,
}

/// Closes the standby: new connections step over it, running transactions finish or are ended, nothing commits there
/// any more, and the windows' sessions are ended so that they look for the database again.
pub fn close(site: &Site, standby: &Server) -> Result<Closed> {
    let name = standby.database().to_owned();
    let mut client = standby.connect()?;
    let Some(there) = Generation::read(&mut client, &name)? else {
        return Err(Error::refused("close the standby", format!("the database '{name}' is not of this toolkit"))
            .hint("check [standby] url."));
    };
    steer(&mut client, &name, Steer::Away)?;
    let mut closed = Closed::default();
    if there.gate != Gate::Closed {
        let (server, database, drain) = (standby.clone(), name.clone(), site.profile.limits.drain);
        let closing =
            crate::db::within(drain + Duration::from_secs(10), move || standby::close(&server, &database, drain));
        closed.drained = closing.ok_or_else(|| {
            Error::unreachable(
                format!("close the standby '{name}'"),
                "the server stopped answering while it was closed",
            )
        })??;
    }
    if there.gate == Gate::DiedOpen {
        // What was handed out and not flushed may stand on printed paper.
        numbers::advance(site, &mut client, numbers::AFTER_A_CRASH, None)?;
    }
    closed.sessions = end_windows(&mut client, &ours::roles(&site.profile)?)?;
    Ok(closed)
}

/// Ends every session in the database of `client` but those of our programs, `roles` being ours; gives how many.
pub fn end_windows(client: &mut Client, roles: &[String]) -> Result<usize> {
    let ended = client
        .query(crate::sql!("switch/end_window_sessions.sql"), &[&ours::programs(), &roles])
        .cannot("end the windows' sessions on the standby")?;
    Ok(ended.len())
}
