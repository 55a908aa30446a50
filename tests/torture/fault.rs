//! Faults: what may happen to a program, its disk, its connections and its servers while it works, one at a time.
//!
//! Those inside a program come from `fault.c`, loaded before it, so the programs under test are the released ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::random::Random;
use crate::support::{Place, Program};

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// SIGKILL just before a call that changes a file or tells a server something.
    Kill,
    /// SIGKILL in the middle of a write.
    Torn,
    /// Power failure: what was not synced is gone.
    Power,
    /// Power failure: what was not synced is zeros.
    Zeros,
    /// One call on a file fails with EIO.
    Eio,
    /// One read of a file fails with EIO.
    Unread,
    /// The disk is full from some call on.
    Full,
    /// The disk is read-only from some call on.
    ReadOnly,
    /// The connection ends before a send.
    Cut,
    /// The connection ends after a send, whose answer is lost.
    Lost,
    /// The answer to a COMMIT is lost.
    LostCommit,
    /// SIGKILL from outside, at any time.
    Outside,
    /// The primary or the standby dies (`pg_ctl stop -m immediate`) and comes back.
    PrimaryDies,
    StandbyDies,
    /// The primary or the standby stands still for a moment.
    PrimaryHangs,
    StandbyHangs,
    /// All sessions of ours are ended by the server.
    SessionsEnd,
}

/// Every kind, with how often it is chosen.
const KINDS: [(Kind, usize); 17] = [
    (Kind::Kill, 24),
    (Kind::Torn, 8),
    (Kind::Power, 14),
    (Kind::Zeros, 6),
    (Kind::Eio, 8),
    (Kind::Unread, 8),
    (Kind::Full, 6),
    (Kind::ReadOnly, 4),
    (Kind::Cut, 8),
    (Kind::Lost, 10),
    (Kind::LostCommit, 6),
    (Kind::Outside, 10),
    (Kind::PrimaryDies, 3),
    (Kind::StandbyDies, 3),
    (Kind::PrimaryHangs, 2),
    (Kind::StandbyHangs, 2),
    (Kind::SessionsEnd, 4),
];

impl Kind {
    pub fn any(random: &mut Random) -> Self {
        let mut at = random.below(KINDS.iter().map(|(_, often)| often).sum());
        for (kind, often) in KINDS {
            if at < often {
                return kind;
            }
            at -= often;
        }
        unreachable!("the choice is below the sum")
    }

    /// In the words of the summary.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "killed at a step",
            Self::Torn => "killed in a write",
            Self::Power => "power failure",
            Self::Zeros => "power failure, zeros",
            Self::Eio => "EIO",
            Self::Unread => "EIO in reading",
            Self::Full => "disk full",
            Self::ReadOnly => "disk read-only",
            Self::Cut => "connection cut before a send",
            Self::Lost => "answer lost",
            Self::LostCommit => "answer to COMMIT lost",
            Self::Outside => "killed at any time",
            Self::PrimaryDies => "primary dies",
            Self::StandbyDies => "standby dies",
            Self::PrimaryHangs => "primary hangs",
            Self::StandbyHangs => "standby hangs",
            Self::SessionsEnd => "sessions ended",
        }
    }

    /// The mode of `fault.c`; none for what comes from outside.
    fn mode(self) -> Option<&'static str> {
        match self {
            Self::Kill => Some("kill"),
            Self::Torn => Some("torn"),
            Self::Power => Some("power"),
            Self::Zeros => Some("zeros"),
            Self::Eio => Some("eio"),
            Self::Unread => Some("unread"),
            Self::Full => Some("full"),
            Self::ReadOnly => Some("locked"),
            Self::Cut => Some("cut"),
            Self::Lost | Self::LostCommit => Some("lost"),
            _ => None,
        }
    }
}

/// How many calls a command makes when nothing disturbs it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calls {
    pub files: usize,
    pub sends: usize,
    /// Sends of a COMMIT.
    pub commits: usize,
    /// Reads of files.
    pub reads: usize,
}

/// A program that has `fault.c` loaded and counts its calls into `file`.
pub fn counted(program: Program, file: &Path) -> Program {
    let _ = fs::remove_file(file);
    program.env("LD_PRELOAD", library()).env("HIS_FAULT_COUNT", file)
}

/// What was counted; nothing when the program did not end by itself.
pub fn read(file: &Path) -> Calls {
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut numbers = text.split_whitespace().map(|n| n.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    Calls { files: next(), sends: next(), commits: next(), reads: next() }
}

/// A program to which `kind` happens at one of its calls; `below` is the folder whose files count. What is to happen,
/// in the words of `fault.c`, comes with it.
pub fn planted(program: Program, kind: Kind, calls: Calls, below: &Path, random: &mut Random) -> (Program, String) {
    let Some(mode) = kind.mode() else { return (program, String::new()) };
    let range = match kind {
        Kind::Torn | Kind::Eio | Kind::Full | Kind::ReadOnly => calls.files,
        Kind::Unread => calls.reads,
        Kind::Cut | Kind::Lost => calls.sends,
        Kind::LostCommit => calls.commits,
        // Mostly files; a power failure between two sends loses nothing.
        Kind::Power | Kind::Zeros => calls.files + calls.sends / 4,
        _ => calls.files + calls.sends,
    };
    let at = 1 + random.below(range.max(1));
    (at_call(program, kind, at, below), format!("{mode}:{at}"))
}

/// A program to which `kind`, one of those inside of a program, happens at its `at`th call; `below` is how the paths of the
/// files that count begin.
pub fn at_call(program: Program, kind: Kind, at: usize, below: &Path) -> Program {
    let mode = kind.mode().expect("it comes from inside");
    let program = program.env("LD_PRELOAD", library()).env("HIS_FAULT", format!("{mode}:{at}"));
    let program = program.env("HIS_FAULT_BELOW", below);
    if kind == Kind::LostCommit { program.env("HIS_FAULT_MATCH", "COMMIT") } else { program }
}

/// `fault.c`, built once for this process.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture/fault.c");
        let library = Place::common().join("fault.so");
        let mut command = Command::new("cc");
        command.args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&library).arg(source);
        let built = command.args(["-ldl", "-lpthread"]).status().expect("cc can be started: `make deps` installs it");
        assert!(built.success(), "fault.c cannot be built");
        library
    })
}
