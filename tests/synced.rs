//! P3 where no test can pull the plug: everything that gets its final name is on the disk by then, as the system calls
//! of the programs show.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::opened::Opened;
use crate::support::workplace::DB;
use crate::support::{Cluster, Program, Workplace, aloud};

const SCHEMA: &str = "CREATE TABLE t (id bigserial PRIMARY KEY, v text); INSERT INTO t (v) VALUES ('a'), ('b');";
const TABLES: &str = "[[table]]\nname = \"public.t\"\ncapture = true\n";

/// What a program did to the disk, in order.
#[derive(Debug)]
enum Call {
    Synced(PathBuf),
    Renamed(PathBuf, PathBuf),
}

/// Runs a program of ours under strace; `None`, said aloud, where that is not there or may not trace.
fn traced(work: &Workplace, program: &str) -> Option<Vec<Call>> {
    let strace = Path::new("/usr/bin/strace");
    let may = strace.exists() && Program::at(strace).args(["-o", "/dev/null", "true"]).run().code == 0;
    if !may {
        aloud("SKIPPED: strace is not there, or may not trace");
        return None;
    }
    let log = work.path().join("strace");
    let path = Program::path(program);
    let calls = "trace=fsync,fdatasync,rename,renameat,renameat2";
    Program::at(strace)
        .args(["-f", "-y", "-s", "4096", "-e", calls, "-o"])
        .args([&log, &path])
        .env("HIS_CONFIG", work.config())
        .dir(work.path())
        .run()
        .expect(0);
    let text = fs::read_to_string(&log).expect("strace has written it");
    Some(text.lines().filter_map(call).collect())
}

/// `PID fsync(7</a/file>) = 0` or `PID rename("/a/from", "/a/to") = 0`.
fn call(line: &str) -> Option<Call> {
    let call = line.split_once(' ')?.1.trim_start();
    if call.starts_with("fsync(") || call.starts_with("fdatasync(") {
        return Some(Call::Synced(PathBuf::from(call.split_once('<')?.1.split_once('>')?.0)));
    }
    let mut names = call.strip_prefix("rename")?.split('"').skip(1).step_by(2).map(PathBuf::from);
    Some(Call::Renamed(names.next()?, names.next()?))
}

/// Every name that was given was given to something that had been synced, with all that is in it, and the directory
/// was synced after it. Gives the names.
fn assert_synced(calls: &[Call]) -> BTreeSet<PathBuf> {
    let mut names = BTreeSet::new();
    for (at, call) in calls.iter().enumerate() {
        let Call::Renamed(from, to) = call else { continue };
        let synced = |path: &Path, calls: &[Call]| calls.iter().any(|c| matches!(c, Call::Synced(p) if p == path));
        for part in below(to) {
            let part = from.join(part);
            let part = part.components().collect::<PathBuf>();
            assert!(synced(&part, &calls[..at]), "{} is not synced before it is {}", part.display(), to.display());
        }
        let parent = to.parent().expect("a file lies in a directory");
        assert!(synced(parent, &calls[at..]), "the name of {} is not synced", to.display());
        names.insert(to.clone());
    }
    names
}

/// The path itself and everything in it, relative.
fn below(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a directory").flatten() {
            let name = PathBuf::from(entry.file_name());
            found.extend(below(&entry.path()).into_iter().map(|p| name.join(p)));
        }
    }
    found
}

fn has(names: &BTreeSet<PathBuf>, part: &str) -> bool {
    names.iter().any(|n| n.to_string_lossy().contains(part))
}

#[test]
fn p3_a_snapshot_is_synced_before_it_gets_its_name() {
    let (primary, standby) = Cluster::pair();
    primary.create_database(DB);
    primary.execute(DB, SCHEMA);
    let work = Workplace::new(&primary, &standby, TABLES);
    let Some(calls) = traced(&work, "his-snapshot") else { return };
    let names = assert_synced(&calls);
    assert!(has(&names, "store/snapshots/2"), "{names:?}");
}

#[test]
fn p3_a_batch_its_mirror_and_the_state_are_synced_before_they_get_their_names() {
    let mut o = Opened::new(SCHEMA, TABLES);
    o.work.set("store", "mirror", "\"mirror\"");
    o.window(&["INSERT INTO t (v) VALUES ('c')"]);
    let Some(calls) = traced(&o.work, "his-export-queue") else { return };
    let names = assert_synced(&calls);
    for expected in
        ["store/queue/01-0001/000001", "mirror/queue/01-0001/000001", "store/state.json", "mirror/state.json"]
    {
        assert!(has(&names, expected), "{expected} in {names:?}");
    }
    let journals = calls.iter().filter(|c| matches!(c, Call::Synced(p) if p.ends_with("journal.jsonl"))).count();
    assert_eq!(journals, 2, "the journal and its mirror");
}
