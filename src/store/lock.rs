//! One run of a kind at a time. The kernel holds the lock, so a killed run cannot leave one behind; the file's text
//! only says who has it.

use crate::clock;
use crate::error::{Cannot, Error, Exit, Result};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What is locked. Work is locked per kind; only the switch may end the others (P16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Snapshot,
    Load,
    Export,
    Merge,
    Register,
    /// A drill touches nothing that is live, and takes the machine's strength.
    Drill,
    Switch,
}

impl Kind {
    /// The kinds that `his-switch` ends when they are in its way.
    pub const BELOW_SWITCH: [Kind; 6] =
        [Kind::Snapshot, Kind::Load, Kind::Export, Kind::Merge, Kind::Register, Kind::Drill];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Snapshot => "snapshot",
            Kind::Load => "load",
            Kind::Export => "export",
            Kind::Merge => "merge",
            Kind::Register => "register",
            Kind::Drill => "drill",
            Kind::Switch => "switch",
        }
    }
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub program: String,
    pub pid: i32,
    pub host: String,
    pub by: String,
    pub since: DateTime<Utc>,
}

/// A write of state or journal takes milliseconds, and another move gives a mirror up in less; who takes longer is stuck.
const BRIEF: Duration = Duration::from_millis(2500);

/// A held lock; released when dropped, also by the death of the process.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    pub(super) fn take(dir: &Path, kind: Kind, by: &str, zone: Tz) -> Result<Lock> {
        let doing = || format!("lock '{}'", kind.name());
        match try_take(dir, kind.name(), by).cannot(doing())? {
            Ok(lock) => Ok(lock),
            Err(holder) => {
                let who = holder.map_or_else(
                    || "another run holds the lock".to_owned(),
                    |h| {
                        format!(
                            "{} (process {} on {}, started by {}) holds the lock since {}",
                            h.program,
                            h.pid,
                            h.host,
                            h.by,
                            clock::full(zone, h.since)
                        )
                    },
                );
                Err(Error::new(Exit::Locked, doing(), who)
                    .hint("wait for that run to end; his-switch ends it by itself in an emergency."))
            }
        }
    }

    /// Takes the lock, ending the process that holds it: first SIGTERM, after a second SIGKILL (which also ends a
    /// stopped process). Whoever is ended is returned, for the journal. P7 is why this is safe.
    pub fn seize(store: &super::Store, kind: Kind, by: &str) -> Result<(Lock, Option<Holder>)> {
        seize(&store.dir().join("locks"), kind.name(), by, Duration::ZERO)
    }

    /// Takes a lock that is held for the moment of one write. An emergency waits a moment for whoever has it, and
    /// then ends that process: frozen in the middle of a write, or at a mirror that does not answer, it is there for ever.
    pub(super) fn brief(dir: &Path, name: &str, emergency: bool) -> Result<Lock> {
        if emergency {
            let (lock, ended) = seize(dir, name, "", BRIEF)?;
            if let Some(Holder { program, pid, .. }) = ended {
                log::warn!("ended {program} (process {pid}), which was stuck while it wrote the {name}");
            }
            return Ok(lock);
        }
        let path = path(dir, name);
        let doing = || format!("lock '{}'", path.display());
        let mut file = open(&path).cannot(doing())?;
        file.lock().cannot(doing())?;
        name_holder(&mut file, "").cannot(doing())?;
        Ok(Lock { _file: file })
    }

    /// Who holds the lock of `kind` now, if anyone does.
    pub fn holder(store: &super::Store, kind: Kind) -> Result<Option<Holder>> {
        let path = path(&store.dir().join("locks"), kind.name());
        let Ok(mut file) = File::open(&path) else {
            return Ok(None);
        };
        Ok(match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => read_holder(&mut file),
            _ => None,
        })
    }
}

/// As [`Lock::seize`], by name, and with patience before the holder is ended.
fn seize(dir: &Path, name: &str, by: &str, patience: Duration) -> Result<(Lock, Option<Holder>)> {
    let doing = || format!("end the run that holds the lock '{name}'");
    let (started, own) = (Instant::now(), rustix::process::getpid().as_raw_nonzero().get());
    let mut ended = None;
    loop {
        match try_take(dir, name, by).cannot(doing())? {
            Ok(lock) => return Ok((lock, ended)),
            Err(holder) => {
                let waited = started.elapsed();
                if waited > patience + Duration::from_secs(4) {
                    let who =
                        holder.map_or_else(|| "unknown".to_owned(), |h| format!("process {} on {}", h.pid, h.host));
                    return Err(Error::new(Exit::Locked, doing(), format!("{who} did not end"))
                        .hint("end that process by hand (kill -9), then run the same command again."));
                }
                if let Some(holder) = holder.filter(|h| waited >= patience && h.host == host() && h.pid != own) {
                    let signal = if waited < patience + Duration::from_secs(1) { Signal::TERM } else { Signal::KILL };
                    if let Some(pid) = Pid::from_raw(holder.pid) {
                        let _ = kill_process(pid, signal);
                    }
                    ended = Some(holder);
                }
                std::thread::sleep(if waited < patience {
                    Duration::from_millis(5)
                } else {
                    Duration::from_millis(50)
                });
            }
        }
    }
}

fn path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.lock"))
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn try_take(dir: &Path, name: &str, by: &str) -> std::io::Result<Result<Lock, Option<Holder>>> {
    let mut file = open(&path(dir, name))?;
    match file.try_lock() {
        Ok(()) => {
            name_holder(&mut file, by)?;
            Ok(Ok(Lock { _file: file }))
        }
        Err(TryLockError::WouldBlock) => Ok(Err(read_holder(&mut file))),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// Says in the file who has its lock.
fn name_holder(file: &mut File, by: &str) -> std::io::Result<()> {
    let holder = Holder {
        program: program(),
        pid: rustix::process::getpid().as_raw_nonzero().get(),
        host: host(),
        by: by.to_owned(),
        since: Utc::now(),
    };
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(serde_json::to_string(&holder)?.as_bytes())
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// The name of the running program, as locks and the journal give it.
#[must_use]
pub fn program() -> String {
    let path = std::env::args_os().next().map(PathBuf::from);
    path.as_deref().and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The name of this machine.
#[must_use]
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
