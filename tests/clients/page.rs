//! The connection strings, read from the manual: what the page tells a hospital is what the tests connect with.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{DRIVERS, seen_file};
use crate::support::Cluster;

/// The source of his-clients(7).
pub fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/his-clients.7");
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The section of the page about a driver, as a reader sees it but for the requests.
pub fn section(driver: &str) -> String {
    let page = page();
    let (_, from) = page.split_once(&format!("\n.SH {driver}\n")).unwrap_or_else(|| panic!("no section {driver}"));
    let section = from.split("\n.SH ").next().unwrap_or_default();
    section.replace("\\-", "-").replace("\\(aq", "'").replace("\\&", "").replace("\\e", "\\")
}

/// The string that a section of the page gives: the lines of its first example, in one.
pub fn string(driver: &str) -> String {
    let section = section(driver);
    let example = section.split_once(".nf\n").and_then(|(_, rest)| Some(rest.split_once("\n.fi")?.0));
    let example = example.unwrap_or_else(|| panic!("the section {driver} has no example"));
    example.lines().collect::<Vec<_>>().join("").replace(" &", "&").replace("; pqopt", ";pqopt")
}

/// The string of the page for two servers that listen on this address, each on its own port.
pub fn string_for(driver: &str, address: &str, standby: &Cluster, primary: &Cluster) -> String {
    let (standby, primary) = (standby.port(), primary.port());
    let there = string(driver);
    let ours = there
        .replace("standby:5432,primary:5432", &format!("{address}:{standby},{address}:{primary}"))
        .replace("standby,primary", &format!("{address},{address}"))
        .replace("5432,5432", &format!("{standby},{primary}"))
        // A time that the test would wait for.
        .replace("socketTimeout=30", "socketTimeout=3");
    assert!(
        ours.contains(&format!("{address},{address}")) || ours.contains(&format!("{address}:{primary}")),
        "{there}"
    );
    assert!(!ours.contains("5432,") && !ours.contains(":5432/"), "{ours}");
    ours
}

/// The class and the SQLSTATE of each error in the table of a section.
fn told(driver: &str) -> BTreeSet<(String, String)> {
    let section = section(driver);
    let table = section.split_once(".TS\n").and_then(|(_, rest)| Some(rest.split_once("\n.TE")?.0)).expect("a table");
    let rows = table.lines().filter_map(|line| line.strip_suffix("|T{")?.split_once('|'));
    rows.map(|(class, state)| (class.to_owned(), state.to_owned())).collect()
}

/// The class and the SQLSTATE of each error that was seen.
fn met(seen: &str) -> BTreeSet<(String, String)> {
    let errors = seen.lines().filter_map(|line| line.split_once(": failed ")?.1.split_once(" \""));
    let pairs = errors.filter_map(|(error, _)| error.split_once(' '));
    pairs.map(|(class, state)| (class.to_owned(), state.to_owned())).collect()
}

#[test]
fn the_page_tells_of_every_error_that_a_program_has_seen_and_of_no_other_with_the_versions_tried() {
    for driver in DRIVERS {
        let seen = fs::read_to_string(seen_file(driver)).expect("what was seen is written down");
        assert_eq!(told(driver.name), met(&seen), "{}", driver.name);
        let versions = seen.lines().next().unwrap_or_default();
        let words = section(driver.name).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&format!("Tried with {versions}.")), "{} was tried with {versions}", driver.name);
    }
}

/// his-emergency(7) has the same strings, shorter.
#[test]
fn the_strings_of_his_emergency_lead_the_same_way() {
    let overview = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("man/his-emergency.7")).expect("read");
    let overview = overview.replace("\\-", "-");
    for (driver, words) in [
        ("libpq", "host=standby,primary port=5432,5432|target_session_attrs=read-write connect_timeout=2"),
        (
            "pgJDBC",
            "jdbc:postgresql://standby:5432,primary:5432/his?|targetServerType=primary&hostRecheckSeconds=0|connectTimeout=2",
        ),
        ("psqlODBC", "pqopt={host=standby,primary port=5432,5432 target_session_attrs=read-write connect_timeout=2"),
    ] {
        let string = string(driver);
        for part in words.split('|') {
            assert!(string.contains(part) && overview.contains(part), "{driver}: {part}");
        }
    }
}
