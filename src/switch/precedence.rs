//! The emergency comes first (P16): whatever else is running, stuck or crashed is ended before a move begins.

use super::ours::{self, EndedSession};
use crate::cli::Site;
use crate::db;
use crate::error::{Exit, Result};
use crate::store::{Holder, Kind, Lock};
use serde_json::json;
use std::time::Duration;

/// A standby that does not answer in this time does not hold a move up here; the move itself will say so.
const STANDBY_LIMIT: Duration = Duration::from_secs(2);

/// The switch's lock, and those of the runs that must not begin while a move is under way. Exports and merges are let
/// go again, because a move does both itself.
#[derive(Debug)]
pub struct Precedence {
    _switch: Lock,
    _kept: Vec<Lock>,
}

/// Takes the switch's lock (exit 7 when another move is under way) and ends every other run, in five seconds at most.
///
/// `leave` are the kinds of work that the move does itself.
pub fn take(site: &Site, leave: &[Kind]) -> Result<Precedence> {
    let switch = lock(site)?;
    let roles = ours::roles(&site.profile)?;
    let server = site.profile.standby()?.named(ours::PROGRAM);
    let (seized, sessions) = std::thread::scope(|scope| {
        let seizing: Vec<_> = Kind::BELOW_SWITCH
            .into_iter()
            .map(|kind| (kind, scope.spawn(move || Lock::seize(&site.store, kind, &site.by))))
            .collect();
        // A killed run's session lives on while its statement runs, and an index build or a rename holds locks.
        let sessions = db::within(STANDBY_LIMIT, move || -> Result<Vec<EndedSession>> {
            ours::end_sessions(&mut server.connect_within("postgres", STANDBY_LIMIT)?, &roles)
        });
        let seized: Vec<_> = seizing.into_iter().map(|(kind, thread)| (kind, thread.join())).collect();
        (seized, sessions)
    });
    let (mut kept, mut ended): (Vec<Lock>, Vec<Holder>) = (Vec::new(), Vec::new());
    for (kind, outcome) in seized {
        match outcome {
            Ok(Ok((lock, holder))) => {
                ended.extend(holder);
                if !matches!(kind, Kind::Export | Kind::Merge) && !leave.contains(&kind) {
                    kept.push(lock);
                }
            }
            // On another machine, for instance. Its sessions are ended, so it cannot go on; it does not stop us.
            Ok(Err(e)) => site.talk.warn(format!("{e}; going on without that lock")),
            Err(_) => site.talk.warn(format!("the lock '{}' could not be looked at; going on without it", kind.name())),
        }
    }
    let sessions = sessions.and_then(Result::ok).unwrap_or_default();
    for holder in &ended {
        site.talk
            .say(format!("ended {} (process {} on {}), which was in the way", holder.program, holder.pid, holder.host));
    }
    if !ended.is_empty() || !sessions.is_empty() {
        let event = site.store.state()?.event.map(|e| e.id);
        let detail = json!({ "ended": ended, "sessions": sessions });
        site.store.journal().write(&site.by, "switch ends other runs", event.as_deref(), "done", detail)?;
    }
    Ok(Precedence { _switch: switch, _kept: kept })
}

/// The switch's own lock: two people at once are told of each other, and neither is ended.
pub fn lock(site: &Site) -> Result<Lock> {
    site.store.lock(Kind::Switch, &site.by).map_err(|e| match e.exit() {
        Exit::Locked => e.hint(
            "somebody else is moving the windows: talk to them. If that process is stuck, end it (kill -9); the next run of the same command goes on from there.",
        ),
        _ => e,
    })
}

/// Does a step that takes the lock of `kind` itself. A run that cron has started meanwhile is ended, too.
pub fn undisturbed<T>(site: &Site, kind: Kind, step: impl Fn() -> Result<T>) -> Result<T> {
    for _ in 0..3 {
        match step() {
            Err(e) if e.exit() == Exit::Locked => {
                let (lock, ended) = Lock::seize(&site.store, kind, &site.by)?;
                drop(lock);
                if let Some(holder) = ended {
                    let detail = json!({ "ended": [holder] });
                    site.store.journal().write(&site.by, "switch ends other runs", None, "done", detail)?;
                }
                // The server may need a moment to notice that the other's session is gone.
                std::thread::sleep(Duration::from_millis(200));
            }
            other => return other,
        }
    }
    step()
}
