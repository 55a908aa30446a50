//! Keeps outpatient registration (挂号) and charging (收费) going while the hospital information system is down,
//! and brings every transaction of the outage back to the primary, to the cent.
//!
//! The way of the data is the order of the modules: [`snapshot`] downloads the primary, [`load`] makes a standby
//! generation of it, [`switch`] moves the windows, [`export`] writes what they did as batches, [`merge`] brings
//! the batches back. Each reads a directory or a database and writes the next one.
//!
//! Beneath them: [`profile`] (the hospital's `his.toml`), [`catalog`] (what a schema looks like), [`standby`] (the
//! gate and the capture inside a generation), [`formats`] (manifests and checksums), [`store`] (durable files,
//! locks, state, journal), [`seal`] (signatures and encryption), [`db`] (connections and SQL), [`bouncer`] (PgBouncers that lead windows), [`clock`] (times as people read them), [`cli`] (what all programs
//! share).

pub mod bouncer;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod db;
pub mod desk;
pub mod drill;
pub mod error;
pub mod export;
pub mod formats;
pub mod hook;
pub mod incident;
pub mod load;
pub mod merge;
pub mod money;
pub mod paper;
pub mod plan;
pub mod profile;
pub mod queue;
pub mod seal;
pub mod snapshot;
pub mod standby;
pub mod store;
pub mod switch;
pub mod watch;

pub use error::{Cannot, Error, Exit, Result};
