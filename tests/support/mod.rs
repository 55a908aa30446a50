//! What the tests stand on: private `PostgreSQL` servers, our programs as a user runs them, a proxy in between, and
//! window clients. Nothing here knows the library: the programs are tested from outside.
#![allow(dead_code, unused_imports, reason = "a harness offers more than each of its users takes")]

pub mod bouncer;
pub mod client;
pub mod cluster;
pub mod compare;
pub mod place;
pub mod program;
pub mod proxy;
pub mod random;
pub mod replica;
pub mod server;
pub mod session;
pub mod sql;
pub mod workplace;

use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

pub use bouncer::PgBouncer;
pub use client::{Attempt, OpenWindows, Outcome, Windows, standby_first};
pub use cluster::{Cluster, Kind};
pub use compare::{Digest, assert_same_tables, differences};
pub use place::Place;
pub use program::{PROGRAMS, Program, Ran, Running};
pub use proxy::{Mode, Proxy};
pub use replica::Replica;
pub use workplace::{Profile, Workplace};

/// Says something that whoever runs the tests has to see also of a test that passes: what was skipped, and figures. The
/// runner keeps to itself what `println!` and `eprintln!` say; not what is written to the stream.
pub fn aloud(text: &str) {
    // In one piece: other tests speak too.
    let _ = stderr().write_all(format!("{}\n", text.trim_end()).as_bytes());
}

/// The folder of the HIS that nobody here wrote: `$REAL_HIS`, or `../shared/real-his`; says aloud when it is missing.
pub fn real_his() -> Option<PathBuf> {
    let dir = std::env::var_os("REAL_HIS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/real-his"), PathBuf::from);
    if dir.join("load.sql").is_file() {
        return Some(dir);
    }
    aloud(&format!(
        "SKIPPED: the real HIS is not there: {} has no load.sql (REAL_HIS names another folder)",
        dir.display()
    ));
    None
}

/// Copies a file or a folder with everything in it, owners and times too.
pub fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").args(["-a", "--reflink=auto"]).arg(from).arg(to).status();
    assert!(copied.is_ok_and(|s| s.success()), "cannot copy {}", from.display());
}

/// The reports that the sample's profile names, which lie beside it.
pub const SAMPLE_REPORTS: [&str; 5] =
    ["price-drift.sql", "slot-drift.sql", "refunds-due.sql", "insurance-due.sql", "paid-on-paper.sql"];

/// Lays them beside a profile in `folder`.
pub fn copy_sample_reports(folder: &Path) {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/his");
    for file in SAMPLE_REPORTS {
        std::fs::copy(samples.join(file), folder.join(file)).expect("copied");
    }
}

/// Asks again every few milliseconds until the answer is yes; panics with what it waited for after the limit.
pub fn wait_until(what: &str, limit: Duration, mut yes: impl FnMut() -> bool) {
    let began = Instant::now();
    while !yes() {
        assert!(began.elapsed() < limit, "waited {} seconds in vain: {what}", limit.as_secs());
        thread::sleep(Duration::from_millis(5));
    }
}
