//! What the primary says when it is asked: one session, bounded, never waited for longer than the profile's `fence`.

use super::fence::{self, Wanted};
use super::ours;
use crate::cli::Site;
use crate::db::{self, Client};
use crate::error::{Cannot, Error, Exit, Result};
use std::time::Duration;

/// What a primary that answers is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    pub system: String,
    pub in_recovery: bool,
    /// Read-only by default for new sessions of its database.
    pub read_only: bool,
    /// The first transaction id that it has not given out.
    pub next_xid: u64,
    /// Highest epoch and run of its merge ledger; 0 without one.
    pub ledger_epoch: u64,
    pub ledger_run: u64,
    pub fenced: bool,
}

impl Look {
    /// Whether a window could write there.
    #[must_use]
    pub fn writable(&self) -> bool {
        !self.in_recovery && !self.read_only
    }
}

/// How the primary stands to us.
#[derive(Debug)]
pub enum Answer {
    /// It says at once that it is not there: connection refused, starting up, shutting down.
    Down(String),
    /// It said nothing within the limit.
    Silent(Duration),
    /// It is there, but does not let us in, or breaks off: windows may well be working on it.
    Closed(Error),
    Answers {
        look: Look,
        /// What the fence would do, when it was asked for: tried, and rolled back.
        fence: Option<Result<fence::Put>>,
    },
}

impl Answer {
    /// Why there is no answer; `None` when there is one.
    #[must_use]
    pub fn absence(&self) -> Option<String> {
        match self {
            Answer::Down(reason) => Some(reason.clone()),
            Answer::Silent(limit) => Some(format!("no answer within {} s", limit.as_secs_f32())),
            Answer::Closed(error) => Some(error.to_string()),
            Answer::Answers { .. } => None,
        }
    }
}

/// Asks the primary. With `end_ours`, sessions that killed runs of ours left there are ended first; with `wanted`, the
/// fence is tried and rolled back.
pub fn ask(site: &Site, limit: Duration, end_ours: bool, wanted: Option<Wanted>) -> Result<Answer> {
    let server = site.profile.primary()?.named(ours::PROGRAM);
    let roles = ours::roles(&site.profile)?;
    let asked = db::within(limit, move || -> Result<Answer> {
        let mut client = match server.connect_within(server.database(), limit) {
            Ok(client) => client,
            Err(e) => return Ok(of_refused(e)),
        };
        if end_ours {
            ours::end_sessions(&mut client, &roles)?;
        }
        let look = look(&mut client)?;
        // Where nothing can be written there is nothing to try the fence with, and no window that could write.
        let fence = wanted.filter(|_| !look.in_recovery).map(|w| fence::rehearse(&mut client, &w));
        Ok(Answer::Answers { look, fence })
    });
    Ok(match asked {
        None => Answer::Silent(limit),
        Some(Ok(answer)) => answer,
        Some(Err(e)) => of_refused(e),
    })
}

/// The primary's word for why it does not let us in tells whether anybody can work there.
fn of_refused(error: Error) -> Answer {
    // It was reached and is not what it should be: two hosts that both take writes, or a version that is too old.
    if error.exit() == Exit::Refused {
        return Answer::Closed(error);
    }
    let text = error.to_string();
    let state = text.rsplit_once("(SQLSTATE ").and_then(|(_, rest)| rest.get(..5));
    match state {
        None => Answer::Down(text),
        // Starting up, shutting down, crashed; no such database.
        Some(state) if state.starts_with("57P") || state.starts_with("08") || state == "3D000" => Answer::Down(text),
        Some(_) => Answer::Closed(error),
    }
}

pub fn look(client: &mut Client) -> Result<Look> {
    let doing = "look at the primary";
    let row = client.query_one(crate::sql!("switch/primary_look.sql"), &[]).cannot(doing)?;
    let mut look = Look {
        system: row.get(0),
        in_recovery: row.get(1),
        read_only: row.get(2),
        next_xid: row.get::<_, &str>(3).parse().map_err(|e| Error::failed(doing, e))?,
        ledger_epoch: 0,
        ledger_run: 0,
        fenced: false,
    };
    if row.get(4) {
        let row = client.query_one(crate::sql!("switch/primary_ledger.sql"), &[]).cannot(doing)?;
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        (look.ledger_epoch, look.ledger_run) = (count(row.get(0)), count(row.get(1)));
    }
    if row.get(5) {
        look.fenced = client.query_one(crate::sql!("switch/fence_is_on.sql"), &[]).cannot(doing)?.get(0);
    }
    Ok(look)
}

/// Refuses a server that takes no writes.
pub fn require_writable(look: &Look) -> Result<()> {
    if look.in_recovery {
        return Err(Error::refused("bring the windows back to the primary", "this server is a replica in recovery")
            .hint("promote it, or point [primary] url at the server that takes writes."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(reason: &str) -> Answer {
        of_refused(Error::unreachable("connect to the primary", reason))
    }

    #[test]
    fn a_primary_that_turns_us_away_is_not_down() {
        assert!(matches!(answer("error connecting to server: Connection refused"), Answer::Down(_)));
        assert!(matches!(answer("the database system is starting up (SQLSTATE 57P03)"), Answer::Down(_)));
        assert!(matches!(answer("password authentication failed (SQLSTATE 28P01)"), Answer::Closed(_)));
        assert!(matches!(answer("too many clients already (SQLSTATE 53300)"), Answer::Closed(_)));
    }
}
