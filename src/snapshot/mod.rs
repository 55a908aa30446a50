//! `his-snapshot`: a consistent, checksummed download of the profile's tables, in one directory.
//!
//! `take` makes one. A leading session (`leader`) locks DDL out, exports the database snapshot and reads what the
//! database is; workers (`tables`) take turns (`turns`) to copy the tables of that very instant (P1), a big one
//! together (`ranges`), into hashed files (`sink`) while `pg_dump` writes the schema (`schema`); `watch` ends all of it when somebody's DDL waits behind us. What each
//! table's COPY is says `plan`, which `check` asks too. Of a delta (`delta`) they copy only what changed (`changes`). What it would be says
//! `preview`. `rows` reads tables back without a server. The directory gets its name last (P3).

mod chain;
mod changes;
mod check;
mod cli;
mod copy;
mod delta;
mod fetch;
mod findings;
mod keys;
mod leader;
mod list;
mod origin;
mod plan;
mod preview;
mod prune;
mod ranges;
mod rows;
mod schema;
mod sink;
mod tables;
mod take;
mod turns;
mod verify;
mod watch;

pub use chain::{ancestors, parent};
pub use check::{Checked, check};
pub use cli::{Cli, main};
pub use copy::{OfflineCopy, copy, offline_copy};
pub use fetch::{Fetched, fetch};
pub use findings::Finding;
pub use list::{Listed, Snapshot, ids, list, open, time_of};
pub use origin::marks;
pub use preview::{Download, Plan, plan};
pub use prune::{Pruned, prune};
pub use rows::{Standing, text};
pub use take::{Taken, take};
pub use verify::damage;

/// What our sessions and files are called.
const PROGRAM: &str = "his-snapshot";
