//! The paper tier: numbered slips out, keyed slips in (`his-import-paper`).
//!
//! When both databases are down, the windows write on pre-numbered slips. [`register`] says who has which numbers and how
//! each ended; [`sheet`] reads what was keyed from them; [`import`] writes it into the HIS, each slip once.

mod cli;
pub mod forms;
pub mod import;
mod issue;
pub mod number;
pub mod pack;
pub mod register;
pub mod sheet;
pub mod status;

pub use cli::{Cli, main};
pub use number::Number;
