//! `his-drill`: a timed exercise of the whole chain, next to the live one and without touching it.
//!
//! A drill has a [`place`] of its own: two private servers on a Unix socket, one filled from the newest snapshot as the
//! primary was, the other a standby; a [`stage`] profile and store beside them; simulated [`windows`]. There the
//! [`scenario`] really happens, and the real programs are run as people run them ([`act`]). What it measured is
//! [`judged`](judge) and kept in the [`record`]; at the end it is [`proof`]ed that the live primary has no row of it.
//!
//! Every drill restores the newest snapshot on a bare server, and the oldest: that is the restore test.

mod act;
mod cli;
mod judge;
mod place;
mod proof;
mod record;
mod run;
mod scenario;
mod stage;
mod windows;

pub use cli::{Cli, main};
pub use record::{Drill, history};
