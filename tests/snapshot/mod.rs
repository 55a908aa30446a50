//! `his-snapshot`, from outside.

mod check;
mod content;
mod damage;
mod ends;
mod keep;
mod promises;
mod together;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use his_emergency::profile::Profile;
use his_emergency::snapshot::{Standing, text};
use his_emergency::store::Store;
use serde_json::Value;

use crate::support::{Cluster, Workplace};

const SNAPSHOT: &str = "his-snapshot";

const AWKWARD: &str = include_str!("awkward.sql");

/// Every table of `awkward.sql`, as a profile names them.
const AWKWARD_TABLES: &str = r#"
[[table]]
name = "outpatient.charge"
capture = true
money = ["total"]
omit = ["photo"]
[[table]]
name = "outpatient.line"
capture = true
[[table]]
name = '门诊."挂号 Reg"'
[[table]]
name = 'public."tblClaim"'
[[table]]
name = "outpatient.parent"
[[table]]
name = "outpatient.visit"
where = "recent(at) -- of this year"
"#;

/// A table whose download takes as long as a test wants it to: a tenth of a second a row.
const SLOW: &str = "CREATE TABLE slow (id int PRIMARY KEY); INSERT INTO slow SELECT generate_series(1, 600);";
const SLOW_TABLES: &str = "[[table]]\nname = \"public.slow\"\nwhere = \"pg_sleep(0.1) IS NOT NULL\"\n";

/// Two servers, the database `his` on the primary made by this script, and a place to work with these tables.
fn hospital(script: &str, tables: &str) -> (Cluster, Cluster, Workplace) {
    let (primary, standby) = Cluster::pair();
    primary.create_database("his");
    primary.psql("his", script);
    let workplace = Workplace::new(&primary, &standby, tables);
    (primary, standby, workplace)
}

fn awkward() -> (Cluster, Cluster, Workplace) {
    hospital(AWKWARD, AWKWARD_TABLES)
}

/// Takes one and gives its JSON.
#[track_caller]
fn take(workplace: &Workplace) -> Value {
    workplace.json(0, SNAPSHOT, &[])
}

fn id(taken: &Value) -> &str {
    taken["snapshot"].as_str().expect("a snapshot")
}

fn path(taken: &Value) -> PathBuf {
    PathBuf::from(taken["path"].as_str().expect("a path"))
}

fn manifest(dir: &Path) -> Value {
    serde_json::from_slice(&fs::read(dir.join("manifest.json")).expect("a manifest")).expect("JSON")
}

/// What lies in `snapshots/`, hidden names too.
fn entries(workplace: &Workplace) -> Vec<String> {
    let dir = fs::read_dir(workplace.store().join("snapshots")).expect("a store");
    let mut names: Vec<String> = dir.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The CSV of a table, decompressed.
fn csv(dir: &Path, table: &str) -> String {
    let manifest = manifest(dir);
    let tables = manifest["tables"].as_array().expect("tables");
    let name = |t: &Value| [&t["table"]["schema"], &t["table"]["name"]].map(|n| n.as_str().unwrap_or("").to_owned());
    let found = tables.iter().find(|t| name(t).join(".") == table).unwrap_or_else(|| panic!("no table {table}"));
    let file = dir.join(found["file"].as_str().expect("a file"));
    let bytes = fs::read(&file).expect("a data file");
    let bytes = if file.extension().is_some_and(|e| e == "zst") {
        zstd::decode_all(bytes.as_slice()).expect("zstd")
    } else {
        bytes
    };
    String::from_utf8(bytes).expect("UTF-8")
}

/// Every file of a snapshot, relative.
fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for part in ["", "census/", "data/", "ledger/"] {
        let there = fs::read_dir(dir.join(part));
        if matches!(part, "census/" | "ledger/") && there.is_err() {
            continue; // the primary had none, or no delta is asked for
        }
        for entry in there.expect("a directory") {
            let entry = entry.expect("an entry");
            if entry.file_type().expect("a type").is_file() {
                found.push(format!("{part}{}", entry.file_name().to_string_lossy()));
            }
        }
    }
    found.sort();
    found
}

/// `sha256sum -c`, with no tool of ours.
#[track_caller]
fn sha256sum_agrees(dir: &Path) {
    let ran =
        Command::new("sha256sum").args(["--check", "--quiet", "--strict", "SHA256SUMS"]).current_dir(dir).output();
    let ran = ran.expect("sha256sum");
    assert!(ran.status.success(), "{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
}

/// The lines of the journal: act and result.
fn journal(workplace: &Workplace) -> Vec<(String, String)> {
    let text = fs::read_to_string(workplace.store().join("journal.jsonl")).unwrap_or_default();
    let act = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let text = |key: &str| line[key].as_str().expect("a text").to_owned();
        (text("act"), text("result"))
    };
    text.lines().map(act).collect()
}

/// The fields of a table's rows as of a snapshot, of a delta also those that are in what it stands on.
fn rows_as_of(workplace: &Workplace, snapshot: &Path, table: &str) -> Vec<Vec<String>> {
    let profile = Profile::read(&workplace.config()).expect("a profile");
    let store = Store::open(&profile).expect("a store");
    let id = snapshot.file_name().and_then(|n| n.to_str()).expect("an id");
    let taken = his_emergency::snapshot::open(&store, Some(id)).expect("a snapshot");
    let standing = Standing::of(&store, taken).expect("what it stands on is there");
    let places = standing.columns(table).expect("it is downloaded").len();
    let field = |record: &[u8], at| String::from_utf8_lossy(&text(record, at)).into_owned();
    let rows = standing.rows(table, |record| Some((0..places).map(|at| field(record, at)).collect()));
    rows.expect("it can be read").0
}
