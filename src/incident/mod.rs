//! `his-incident`: the emergency plan carried out. Who noticed, who decided, at which level, who did what, who was told.
//!
//! What is said is a [`record`] in a chained log of the store, which needs no server; an [`Incident`] is what the records of
//! one emergency add up to, and [`standing`] what the [plan](crate::plan) wants done of it now. [`timeline`] puts the moves
//! of `his-switch` beside them; [`notice`] and [`sheets`] are what is printed; [`report`] is written at the end.

mod cli;
mod lists;
mod log;
mod notice;
mod record;
pub mod report;
mod sheets;
mod show;
mod standing;
mod supply;
mod templates;
mod timeline;

pub use cli::{Cli, main};
pub use log::{Incident, all, current, last};
pub use record::{Record, Said};
pub use sheets::pack_pages;
pub use supply::{Counted, counted};
