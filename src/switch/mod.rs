//! `his-switch`: moves the windows between primary, standby and paper.
//!
//! Each move looks at both sides at once ([`primary_side`]), decides, makes a [`plan`] in words and carries it out:
//! [`to_standby`], [`to_paper`], [`to_primary`]; what they share is in [`moves`]. Before anything else it ends whatever
//! is in its way ([`precedence`]). [`fence`] keeps windows out of the primary (of its database by the [`connect_right`]) and [`guard`] waits for one that is frozen;
//! [`open`] swaps, opens and closes on the standby; [`endpoint`] leads windows that come through a PgBouncer;
//! [`lost`] is for a standby that cannot be reached, [`unmirrored`] for a
//! mirror of the store that cannot be written.
//!
//! Every step finds out what is so before it changes it, so a killed move is finished by the same command.

mod by_hand;
mod choose;
mod cli;
mod connect_right;
mod drill;
mod endpoint;
mod fence;
mod guard;
mod hooks;
mod lift;
mod lost;
mod moves;
mod open;
mod ours;
mod plan;
mod precedence;
mod primary_side;
mod status;
mod to_paper;
mod to_primary;
mod to_standby;
mod unmirrored;

pub use cli::{Cli, main};
pub use endpoint::belongs;
pub use fence::{Lifted, Put, Session};

use crate::cli::Site;

/// What everything that runs during an event does first: puts a waiting fence on a primary that answers again, and
/// closes a standby that was given up and has come back, and has a PgBouncer read its file that did not hear us. Cheap when
/// nothing waits, and bounded by the profile's `fence` and two seconds.
pub fn at_first_contact(site: &Site) {
    lost::close_returned(site);
    moves::at_first_contact(site);
    endpoint::at_first_contact(site);
}
