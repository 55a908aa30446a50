//! `his-desk`: a window of its own, for hospitals whose HIS client cannot be pointed at another database.
//!
//! What a window does is a set of SQL functions that the site adapts to its HIS (schema `desk`; `samples/his/desk` is the
//! reference); everything here asks them, shows what they say, and prints.

mod act;
mod cli;
mod line;
mod screen;
mod script;
mod show;
mod voucher;
mod words;

pub use act::Act;
pub use cli::{Cli, main};
pub use line::{Cashier, Line, Standing};
