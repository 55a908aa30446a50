//! The schema of a generation: what `pg_restore` makes of the snapshot's `schema.dump`, the data in between.
//!
//! `pg_restore` only writes the script; it is run here. Connected itself it would empty the search path, and functions
//! of a HIS that name each other without a schema, in a generated column or an index, would then not be found.

use super::build::own_path;
use super::work;
use crate::db::{Client, Server, programs, sql};
use crate::error::{Cannot, Error, Exit, Result};
use crate::formats::snapshot::SCHEMA_FILE;
use crate::snapshot::Snapshot;
use minijinja::context;
use std::io::Write;
use std::path::PathBuf;
use tempfile::NamedTempFile;
use tokio_postgres::error::SqlState;

/// Entries of a dump that a standby must not have: they would act on other servers, or fight with our own guard.
const NOT_HERE: [&str; 5] =
    ["EVENT TRIGGER", "PUBLICATION TABLES IN SCHEMA", "PUBLICATION TABLE", "PUBLICATION", "SUBSCRIPTION"];

/// What `pg_restore` sets first in every script.
const EMPTY_PATH: &str = "SELECT pg_catalog.set_config('search_path', '', false);";

/// One entry of the dump as SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// As the dump calls it: INDEX, FK CONSTRAINT, TRIGGER …
    pub kind: String,
    pub text: String,
    /// Where it stands in the dump.
    pub place: usize,
}

/// What a dump has for after the data, each kind in the dump's order.
#[derive(Debug, Default)]
pub struct AfterData {
    /// Indexes, and the keys that are made of one.
    pub indexes: Vec<Statement>,
    /// Triggers, rules, policies and whatever else.
    pub rest: Vec<Statement>,
    pub foreign_keys: Vec<Statement>,
    pub comments: Vec<Statement>,
}

/// The schema of a snapshot, to be built in one database.
pub struct Schema<'a> {
    standby: &'a Server,
    database: &'a str,
    dump: PathBuf,
    search_path: String,
    /// The entries that are wanted here.
    list: NamedTempFile,
    /// What of the HIS is not on the standby, by kind and name.
    pub left_out: Vec<String>,
}

impl<'a> Schema<'a> {
    /// Reads the dump's table of contents.
    pub fn open(standby: &'a Server, database: &'a str, snapshot: &Snapshot) -> Result<Schema<'a>> {
        let dump = snapshot.path.join(SCHEMA_FILE);
        let doing = || format!("read the schema '{}'", dump.display());
        let list = programs::run("pg_restore", standby, database, &["--list", text_of(&dump)?], &doing())
            .map_err(|e| e.with_exit(Exit::Damaged))?;
        let list = String::from_utf8(list).map_err(|e| Error::damaged(doing(), e))?;
        let (mut wanted, mut left_out) = (String::new(), Vec::new());
        for line in list.lines().filter(|l| !l.starts_with(';') && !l.trim().is_empty()) {
            let entry = entry(line);
            match NOT_HERE.iter().find(|kind| is_about(entry, kind)) {
                Some(kind) if entry.starts_with(kind) => left_out.push(shown(kind, entry)),
                Some(_) => {}
                None => {
                    wanted.push_str(line);
                    wanted.push('\n');
                }
            }
        }
        let search_path = own_path(&snapshot.manifest.primary);
        let list = temporary(&wanted)?;
        Ok(Schema { standby, database, dump, search_path, list, left_out })
    }

    /// Makes types, tables, views and functions: what must be there before the data.
    pub fn before_data(&self) -> Result<()> {
        let doing = "build the schema of the HIS on the standby";
        let script = temporary(&self.script("pre-data")?)?;
        // psql, because it runs statement by statement: thousands of tables in one transaction run out of locks.
        let args = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-"];
        programs::run_with_input("psql", self.standby, self.database, &args, Some(script.path()), doing)
            .map(std::mem::drop)
            .map_err(|e| e.hint("an extension of the primary may be missing on the standby's machine (Debian: postgresql-contrib, or the package of that extension); install it and load again."))
    }

    /// What comes after the data.
    pub fn after_data(&self) -> Result<AfterData> {
        let mut after = AfterData::default();
        for statement in split(&self.script("post-data")?) {
            match statement.kind.as_str() {
                "FK CONSTRAINT" => after.foreign_keys.push(statement),
                "COMMENT" => after.comments.push(statement),
                "INDEX" | "CONSTRAINT" => after.indexes.push(statement),
                _ => after.rest.push(statement),
            }
        }
        Ok(after)
    }

    /// Runs statements one after the other, in the dump's order.
    pub fn run(&self, mut statements: Vec<&Statement>) -> Result<()> {
        statements.sort_by_key(|s| s.place);
        let mut client = work::session(self.standby, self.database, &self.search_path)?;
        for statement in statements {
            if !statement.run(&mut client)? {
                return Err(Error::failed(
                    "build the schema of the HIS on the standby",
                    "an index is of a table that is not there",
                ));
            }
        }
        Ok(())
    }

    fn script(&self, section: &str) -> Result<String> {
        let section = format!("--section={section}");
        let (list, dump) = (text_of(self.list.path())?, text_of(&self.dump)?);
        let args = ["--file=-", "--no-tablespaces", "--no-security-labels", &section, "--use-list", list, dump];
        let script = programs::run("pg_restore", self.standby, self.database, &args, "read the schema of the HIS")?;
        let script = String::from_utf8(script).map_err(|e| Error::failed("read the schema of the HIS", e))?;
        // A pg_restore of 17 and newer writes it also for a server that does not know it.
        let script = script.replacen("SET transaction_timeout = 0;\n", "", 1);
        let own = format!("SELECT pg_catalog.set_config('search_path', {}, false);", sql::literal(&self.search_path));
        Ok(script.replacen(EMPTY_PATH, &own, 1))
    }
}

impl Statement {
    /// Whether it shuts everybody else out of its table: a key, or an index that the table is then told something of.
    #[must_use]
    pub fn is_exclusive(&self) -> bool {
        self.kind == "CONSTRAINT" || self.text.contains("\nALTER TABLE")
    }

    /// False when it is too early for it: an index of a materialized view that itself waits for a key.
    pub fn run(&self, client: &mut Client) -> Result<bool> {
        match client.batch_execute(&self.text) {
            Ok(()) => Ok(true),
            Err(e) if e.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(false),
            Err(e) => {
                Err(e).cannot(format!("build the schema of the HIS on the standby ({})", self.kind.to_lowercase()))
            }
        }
    }
}

fn temporary(text: &str) -> Result<NamedTempFile> {
    let mut file = NamedTempFile::new().cannot("write a temporary file")?;
    file.write_all(text.as_bytes()).cannot("write a temporary file")?;
    Ok(file)
}

fn text_of(path: &std::path::Path) -> Result<&str> {
    path.to_str().ok_or_else(|| Error::failed(format!("use '{}'", path.display()), "its name is not UTF-8"))
}

/// The entry of a line `12; 2606 16412 FK CONSTRAINT public a a_fk owner`, without its three numbers.
fn entry(line: &str) -> &str {
    line.split_once("; ").and_then(|(_, rest)| rest.splitn(3, ' ').nth(2)).unwrap_or_default()
}

/// An entry of this kind, or a comment or privilege on one.
fn is_about(entry: &str, kind: &str) -> bool {
    let rest = entry.strip_prefix("COMMENT - ").or_else(|| entry.strip_prefix("ACL - ")).unwrap_or(entry);
    rest.strip_prefix(kind).is_some_and(|r| r.starts_with(' '))
}

/// `EVENT TRIGGER - name owner` as people say it: `event trigger name`.
fn shown(kind: &str, entry: &str) -> String {
    let rest = entry[kind.len()..].trim_start_matches(" -").trim_start();
    let name = rest.rsplit_once(' ').map_or(rest, |(name, _owner)| name);
    format!("{} {name}", kind.to_lowercase())
}

/// The statements of a script: each stands under a comment `-- Name: …; Type: …; Schema: …; Owner: …`.
fn split(script: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut blocks = script.split("\n--\n-- Name: ");
    // What comes before the first is settings of the session.
    blocks.next();
    for block in blocks {
        let Some((header, body)) = block.split_once("\n--\n") else { continue };
        let kind = header.rsplit_once("; Type: ").and_then(|(_, rest)| rest.split(';').next()).unwrap_or_default();
        let end = body.find("\n--\n").unwrap_or(body.len());
        let text = body[..end].trim();
        if !text.is_empty() {
            statements.push(Statement { kind: kind.to_owned(), text: text.to_owned(), place: statements.len() });
        }
    }
    statements
}

/// Fills the materialized views, those that others are made of first. One that cannot be filled is said by name.
pub fn refresh(client: &mut impl crate::db::GenericClient) -> Result<Vec<String>> {
    let views = client.query(crate::sql!("load/materialized_views.sql"), &[]).cannot("list the materialized views")?;
    let mut failed = Vec::new();
    for row in views {
        let view = crate::catalog::Name { schema: row.get(0), name: row.get(1) };
        let text = sql::render(crate::sql!("load/refresh.sql"), context! { view => view.sql() })?;
        let mut tx = client.transaction().cannot("refresh the materialized views")?;
        match tx.batch_execute(&text).and_then(|()| tx.commit()) {
            Ok(()) => {}
            Err(e) if crate::db::reason::is_connection_loss(&e) => {
                return Err(e).cannot(format!("refresh the materialized view '{view}'"));
            }
            Err(e) => failed.push(format!("{view}: {}", crate::db::reason::of(&e).1)),
        }
    }
    Ok(failed)
}

/// Takes tables and sequences from owners that are not superusers: an owner could undo what guards a table. He keeps
/// every right on the rows. Returns what could not be kept as it was.
pub fn take_ownership(client: &mut Client) -> Result<Vec<String>> {
    let taken = client.query(crate::sql!("load/foreign_owned.sql"), &[]).cannot("list the owners of the tables")?;
    let mut warnings = Vec::new();
    for row in taken {
        let name = crate::catalog::Name { schema: row.get(0), name: row.get(1) };
        let (sequence, owner, policy): (bool, String, bool) = (row.get(2), row.get(3), row.get(4));
        let (restricted, follows): (bool, bool) = (row.get(5), row.get(6));
        let text = if sequence {
            sql::render(
                crate::sql!("load/take_sequence.sql"),
                context! { sequence => name.sql(), owner => owner.clone(), follows },
            )?
        } else {
            sql::render(
                crate::sql!("load/take_table.sql"),
                context! { table => name.sql(), owner => owner.clone(), policy },
            )?
        };
        client.batch_execute(&text).cannot(format!("take '{name}' from its owner '{owner}'"))?;
        if policy && restricted {
            warnings.push(format!(
                "'{name}' has a restrictive policy, which now also holds for its former owner '{owner}'"
            ));
        }
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_a_table_of_contents_are_told_apart() {
        let line = "3412; 2606 16510 FK CONSTRAINT public order_line order_line_fk his";
        assert_eq!(entry(line), "FK CONSTRAINT public order_line order_line_fk his");
        assert!(is_about(entry("1; 3466 1 EVENT TRIGGER - audit_ddl postgres"), "EVENT TRIGGER"));
        assert!(is_about(entry("1; 0 0 COMMENT - EVENT TRIGGER audit_ddl postgres"), "EVENT TRIGGER"));
        assert!(!is_about(entry("1; 2620 1 TRIGGER public t x his"), "EVENT TRIGGER"));
        assert_eq!(shown("EVENT TRIGGER", "EVENT TRIGGER - auditDDL postgres"), "event trigger auditDDL");
    }

    #[test]
    fn a_script_is_split_into_its_statements() {
        let script = "SET a = b;\n\n--\n-- Name: a a_fk; Type: FK CONSTRAINT; Schema: public; Owner: x\n--\n\nALTER TABLE ONLY public.a\n    ADD CONSTRAINT a_fk FOREIGN KEY (b) REFERENCES public.b(id);\n\n\n--\n-- Name: c_idx; Type: INDEX; Schema: public; Owner: x\n--\n\nCREATE INDEX c_idx ON public.c USING btree (b);\n\n\n--\n-- PostgreSQL database dump complete\n--\n\n";
        let found = split(script);
        assert_eq!(found.iter().map(|s| s.kind.as_str()).collect::<Vec<_>>(), ["FK CONSTRAINT", "INDEX"]);
        assert!(found[0].text.starts_with("ALTER TABLE ONLY public.a\n") && found[0].text.ends_with("b(id);"));
        assert_eq!(found[1].text, "CREATE INDEX c_idx ON public.c USING btree (b);");
    }
}
