//! Who we are on the servers: the roles of the profile's URLs, and the names of our programs' sessions.

use crate::db::Client;
use crate::error::{Cannot, Result};
use crate::profile::Profile;

/// Sessions of moves.
pub const PROGRAM: &str = "his-switch";
/// Sessions of `his-switch status`, which a move does not end.
pub const ASKING: &str = "his-switch status";

/// Sessions that a move ends (P16). Under the switch's lock another session of the switch can only be one that a killed
/// run left behind.
const ENDED_BY_A_MOVE: [&str; 5] = ["his-snapshot", "his-load-standby", "his-export-queue", "his-merge", PROGRAM];

/// Our own roles: the role of any URL in the profile. They can always read, on both sides.
pub fn roles(profile: &Profile) -> Result<Vec<String>> {
    let mut roles: Vec<String> = [profile.primary()?, profile.download()?, profile.standby()?]
        .iter()
        .map(|server| server.user().to_owned())
        .collect();
    roles.sort();
    roles.dedup();
    Ok(roles)
}

/// The roles by which windows are known; `None`: every role but ours is a window.
#[must_use]
pub fn window_roles(profile: &Profile) -> Option<&[String]> {
    (!profile.window_roles.is_empty()).then_some(profile.window_roles.as_slice())
}

/// Names under which our programs' sessions are known.
#[must_use]
pub fn programs() -> Vec<&'static str> {
    let mut names = ENDED_BY_A_MOVE.to_vec();
    names.push(ASKING);
    names
}

/// A session of ours that was in the way.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct EndedSession {
    pub pid: i32,
    pub program: String,
    pub database: String,
}

/// Ends what other runs of ours are doing on the server of `client`; the locks of a killed run go with its sessions.
pub fn end_sessions(client: &mut Client, roles: &[String]) -> Result<Vec<EndedSession>> {
    let names: &[&str] = &ENDED_BY_A_MOVE;
    let rows = client
        .query(crate::sql!("switch/end_our_sessions.sql"), &[&names, &roles])
        .cannot("end the sessions of other runs")?;
    Ok(rows.iter().map(|r| EndedSession { pid: r.get(0), program: r.get(1), database: r.get(2) }).collect())
}
