//! Connections to the two servers, and the SQL that is run there.

mod certificate;
mod connect;
mod console;
mod copy;
mod hosts;
mod pgpass;
pub mod programs;
pub mod reason;
mod session;
pub mod sql;
mod tls;
mod windows;

pub use certificate::SSL_REQUEST;
pub use connect::{Server, Side, within};
pub use console::{Console, Row};
pub use copy::{BLOCK, CopyIn, CopyOut};
pub use session::{Client, Failed, GenericClient, Transaction};
pub use windows::Windows;
