//! Where the statements of a merge go: to the primary at once, or into a script for psql. There is one merge, not two.

use crate::db::Transaction;
use crate::db::sql;
use crate::error::{Cannot, Error, Result};
use minijinja::Value;
use std::io::Read;

/// SQLSTATE with which a statement of ours says that something is damaged.
const DAMAGED: &str = "HSC05";

/// Takes statements in the order in which they are to be run.
pub trait Statements {
    /// Takes a piece of SQL without parameters.
    fn take(&mut self, text: &str, doing: &str) -> Result<()>;

    /// Takes a COPY from STDIN without its format, and the CSV with a header that it reads; `name` is for messages.
    fn copy(&mut self, copy: &str, from: &mut dyn Read, name: &str) -> Result<()>;
}

impl Statements for Transaction<'_> {
    fn take(&mut self, text: &str, doing: &str) -> Result<()> {
        match self.batch_execute(text) {
            Err(e) if e.code().is_some_and(|c| c.code() == DAMAGED) => {
                let db = e.as_db_error();
                let error = Error::damaged(doing, db.map_or("", |d| d.message()));
                Err(match db.and_then(|d| d.hint()) {
                    Some(hint) => error.hint(hint),
                    None => error,
                })
            }
            done => done.cannot(doing),
        }
    }

    fn copy(&mut self, copy: &str, mut from: &mut dyn Read, name: &str) -> Result<()> {
        copy_from(self, &format!("{copy} (FORMAT csv, HEADER)"), &mut from, &format!("stage '{name}'")).map(drop)
    }
}

/// Renders a template and hands it over.
pub fn run(to: &mut impl Statements, template: &str, context: Value, doing: &str) -> Result<()> {
    to.take(&sql::render(template, context)?, doing)
}

/// Sends all of `from` into a COPY; gives the rows that arrived.
pub fn copy_from(tx: &mut Transaction<'_>, copy: &str, from: &mut impl Read, doing: &str) -> Result<u64> {
    let mut writer = tx.copy_in(copy).cannot(doing)?;
    std::io::copy(from, &mut writer).cannot(doing)?;
    writer.finish().cannot(doing)
}
