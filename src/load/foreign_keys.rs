//! Foreign keys of a generation: added without looking at the rows, then checked in parallel.
//!
//! Added one after the other and unvalidated, they cost nothing and cannot meet each other's locks; checking them then
//! locks only the referencing table against other checks. A key that does not hold, because the rows it points at were
//! not downloaded, stays unvalidated: it still guards every new row.

use super::ddl::first_part;
use super::schema::Statement;
use super::work;
use crate::catalog::Name;
use crate::db::{Client, Server, reason, sql};
use crate::error::{Cannot, Result};
use minijinja::context;
use std::collections::BTreeSet;
use std::sync::Mutex;
use tokio_postgres::error::SqlState;

/// A foreign key that the rows of the standby do not satisfy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Dangling {
    #[serde(serialize_with = "as_text")]
    pub table: Name,
    pub constraint: String,
    /// False: the key is there and guards new rows. True: on a partitioned table it cannot be there at all.
    pub left_out: bool,
}

fn as_text<S: serde::Serializer>(name: &Name, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.collect_str(name)
}

/// Adds all foreign keys and returns those that do not hold. `place` is the database and its search path.
pub fn add(standby: &Server, place: (&str, &str), statements: &[Statement], workers: usize) -> Result<Vec<Dangling>> {
    let mut client = work::session(standby, place.0, place.1)?;
    let (given, sound): (Vec<&str>, Vec<&str>) =
        statements.iter().map(|s| s.text.as_str()).partition(|s| is_unvalidated(s));
    for statement in given {
        client.batch_execute(statement).cannot(format!("add {}", shown(statement)))?;
    }
    // What the primary itself has never validated is none of our findings.
    let never: BTreeSet<u32> = unvalidated(&mut client)?.into_iter().map(|k| k.0).collect();
    let mut partitioned = Vec::new();
    for statement in sound {
        match client.batch_execute(&without_check(statement)) {
            Ok(()) => {}
            // PostgreSQL has no unvalidated foreign keys on partitioned tables.
            Err(e) if matches!(e.code(), Some(c) if [SqlState::WRONG_OBJECT_TYPE, SqlState::FEATURE_NOT_SUPPORTED].contains(c)) =>
            {
                partitioned.push(statement);
            }
            Err(e) => return Err(e).cannot(format!("add {}", shown(statement))),
        }
    }
    let mut dangling = Vec::new();
    for statement in partitioned {
        match client.batch_execute(statement) {
            Ok(()) => {}
            Err(e) if e.code() == Some(&SqlState::FOREIGN_KEY_VIOLATION) => dangling.extend(named(statement, true)),
            Err(e) => return Err(e).cannot(format!("add {}", shown(statement))),
        }
    }
    let check: Vec<_> = unvalidated(&mut client)?.into_iter().filter(|k| !never.contains(&k.0)).collect();
    let found = Mutex::new(Vec::new());
    work::share(standby, place, &check, workers, |client, (_, table, constraint)| {
        if !holds(client, table, constraint)?
            && let Ok(mut found) = found.lock()
        {
            found.push(Dangling { table: table.clone(), constraint: constraint.clone(), left_out: false });
        }
        Ok(())
    })?;
    dangling.extend(found.into_inner().unwrap_or_default());
    dangling.sort();
    Ok(dangling)
}

fn unvalidated(client: &mut Client) -> Result<Vec<(u32, Name, String)>> {
    let rows = client.query(crate::sql!("load/unvalidated_keys.sql"), &[]).cannot("list the foreign keys to check")?;
    Ok(rows.iter().map(|r| (r.get(0), Name { schema: r.get(1), name: r.get(2) }, r.get(3))).collect())
}

fn holds(client: &mut Client, table: &Name, constraint: &str) -> Result<bool> {
    let text = sql::render(crate::sql!("load/validate_key.sql"), context! { table => table.sql(), constraint })?;
    match client.batch_execute(&text) {
        Ok(()) => Ok(true),
        Err(e) if e.code() == Some(&SqlState::FOREIGN_KEY_VIOLATION) => Ok(false),
        Err(e) => {
            log::debug!("{}", reason::of(&e).1);
            Err(e).cannot(format!("check the foreign key '{constraint}' of '{table}'"))
        }
    }
}

fn is_unvalidated(statement: &str) -> bool {
    statement.trim_end().trim_end_matches(';').trim_end().ends_with(" NOT VALID")
}

fn without_check(statement: &str) -> String {
    format!("{} NOT VALID", statement.trim_end().trim_end_matches(';'))
}

fn shown(statement: &str) -> String {
    named(statement, false)
        .map_or_else(|| "a foreign key".to_owned(), |k| format!("the foreign key '{}' of '{}'", k.constraint, k.table))
}

/// Table and constraint of `ALTER TABLE [ONLY] a.b ADD CONSTRAINT c FOREIGN KEY …`.
fn named(statement: &str, left_out: bool) -> Option<Dangling> {
    let rest = statement.strip_prefix("ALTER TABLE ")?;
    let rest = rest.strip_prefix("ONLY ").unwrap_or(rest);
    let (schema, rest) = first_part(rest)?;
    let (name, rest) = first_part(rest.strip_prefix('.')?)?;
    let (constraint, _) = first_part(rest.trim_start().strip_prefix("ADD CONSTRAINT ")?)?;
    Some(Dangling { table: Name { schema, name }, constraint, left_out })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_tells_its_table_and_constraint() {
        let key = named(
            "ALTER TABLE ONLY \"门诊\".\"a\"\"b.c\"\n    ADD CONSTRAINT \"A fk\" FOREIGN KEY (x) REFERENCES p.q(id);",
            true,
        )
        .unwrap();
        assert_eq!(
            (key.table.schema.as_str(), key.table.name.as_str(), key.constraint.as_str()),
            ("门诊", "a\"b.c", "A fk")
        );
        let key =
            named("ALTER TABLE p.t\n    ADD CONSTRAINT t_fk FOREIGN KEY (x) REFERENCES p.q(id) DEFERRABLE;", false)
                .unwrap();
        assert_eq!((key.table.to_string().as_str(), key.constraint.as_str()), ("p.t", "t_fk"));
    }

    #[test]
    fn a_key_that_the_primary_never_validated_is_told_apart() {
        assert!(is_unvalidated("ALTER TABLE a ADD CONSTRAINT b FOREIGN KEY (c) REFERENCES d(e) NOT VALID;"));
        let statement = "ALTER TABLE a ADD CONSTRAINT b FOREIGN KEY (c) REFERENCES d(e) DEFERRABLE;";
        assert!(!is_unvalidated(statement));
        assert!(is_unvalidated(&without_check(statement)));
    }
}
