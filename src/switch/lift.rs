//! Lifts the fence of the primary.

use super::fence::{self, Lifted};
use super::{moves, ours};
use crate::cli::Site;
use crate::db;
use crate::error::{Error, Result};
use crate::store::FenceState;
use std::time::Duration;

/// A primary that has not lifted its fence in this time does not answer.
const LIMIT: Duration = Duration::from_secs(20);

/// Lifts the fence, whatever the store believes: the primary's own record says what is to be put back.
///
/// The store says first that it is not wanted, so that a fence still on its way is not put on behind us.
pub fn lift(site: &Site) -> Result<Lifted> {
    let before = site.store.state()?.fence;
    moves::note_fence(site, FenceState::Off)?;
    let server = site.profile.primary()?.named(ours::PROGRAM);
    let (at_work, profile) = (server.clone(), site.profile.clone());
    let lifted = db::within(LIMIT, move || fence::lift(&mut at_work.connect()?, &profile)).unwrap_or_else(|| {
        let reason = format!("no answer within {} s", LIMIT.as_secs());
        Err(Error::unreachable("lift the fence of the primary", reason))
    });
    let error = match lifted {
        Ok(lifted) => {
            lifted.warning().into_iter().for_each(|w| site.talk.warn(w));
            return Ok(lifted);
        }
        Err(error) => error,
    };
    // The answer may be lost, and the fence lifted all the same. A store that said "on" then would take this primary for one
    // that was restored. Where the primary cannot say, the fence is not wanted, and the next run lifts what there is.
    let code = site.profile.site.code.clone();
    let on = db::within(LIMIT, move || fence::is_on(&mut server.connect()?, &code));
    match on {
        Some(Ok(true)) => {
            moves::note_fence(site, before)?;
            Err(error)
        }
        Some(Ok(false)) => Ok(Lifted { was_on: true, ..Lifted::default() }),
        Some(Err(_)) | None => Err(error),
    }
}
