//! Clients as hospitals have them: the one connection string, the standby first, with the drivers that HIS programs are
//! written on. A real program on each driver goes through a day with two emergencies; the strings are those that
//! his-clients(7) gives.

mod day;
mod department;
mod libpq;
mod node;
mod page;
mod pgjdbc;
mod psqlodbc;
mod psycopg;
mod window;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::aloud;
use department::Department;

/// Starts the client program of a driver again and again.
type Start = Box<dyn Fn() -> Command>;

/// A driver, and the program that stands for the HIS's own.
pub struct Driver {
    /// As in the headings of the page.
    name: &'static str,
    /// What its charges are signed with, and its file in seen/.
    slug: &'static str,
    has_pool: bool,
    /// Whether its string has it give up a server that stands still.
    gives_up: bool,
    /// Readies its program for the servers of a department, or says what is not here.
    prepare: fn(&Department) -> Result<Start, String>,
}

const DRIVERS: &[Driver] =
    &[libpq::LIBPQ, psycopg::PSYCOPG_3, psycopg::PSYCOPG_2, pgjdbc::PGJDBC, psqlodbc::PSQLODBC, node::NODE_POSTGRES];

/// Where it is written down what a driver saw.
fn seen_file(driver: &Driver) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/clients/seen/{}.txt", driver.slug))
}

/// Compares what a driver saw, word by word, with what is written down in seen/. With other versions of the driver the
/// texts may be others, which is said aloud; classes and SQLSTATEs may not. `HIS_WRITE_SEEN=1` writes it down anew.
#[track_caller]
fn saw_what_is_written_down(driver: &Driver) {
    let seen = match &day::day().seen[driver.name] {
        Ok(seen) => format!("{}\n", seen.join("\n")),
        Err(why) => return aloud(&format!("SKIPPED: {} is not tried: {why}", driver.name)),
    };
    let path = seen_file(driver);
    if std::env::var_os("HIS_WRITE_SEEN").is_some_and(|v| v == "1") {
        fs::write(&path, &seen).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        return;
    }
    let written = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    if seen.lines().next() == written.lines().next() {
        assert_eq!(seen, written, "{} sees something else (HIS_WRITE_SEEN=1 writes it down)", driver.name);
        return;
    }
    let versions = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    aloud(&format!(
        "{}: the texts of {} are not compared with those of {}",
        driver.name,
        versions(&seen),
        versions(&written)
    ));
    assert_eq!(without_texts(&seen), without_texts(&written), "{} sees something else", driver.name);
}

/// Without the versions, and what stands in quotes.
fn without_texts(seen: &str) -> Vec<String> {
    seen.lines().skip(1).map(|line| line.split(" \"").next().unwrap_or_default().to_owned()).collect()
}
