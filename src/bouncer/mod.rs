//! PgBouncers that lead windows: those whose driver cannot find the open side by itself.
//!
//! Each includes one small file of ours ([`target`]), which says where the windows' database is. It is replaced in one
//! step, and the PgBouncer told to read it ([`point()`]). One that is down or does not hear us reads it when it starts, so
//! the file comes first and is right whatever follows. [`look()`] says where each leads now.
//!
//! Nothing here waits longer than some seconds, whatever state a PgBouncer is in.

mod look;
mod point;
mod target;

pub use look::{Seen, look};
pub use point::{Pointed, cut_left, point, reload};
pub use target::{Bouncer, Says};

use std::time::Duration;

/// A console, or a disk, that has not answered in this time does not.
pub const PATIENCE: Duration = Duration::from_secs(3);
