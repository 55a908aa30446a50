//! The connection strings, read from the manual: what the page tells a hospital is what the tests connect with.

use std::fs;
use std::path::Path;

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
