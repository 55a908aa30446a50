//! Places in /tmp for servers, stores and output, and the watchdog that clears them away after a test process that
//! ended in whatever way. Each is named after the process, `/tmp/his-PID-N-WHAT`, and short, because the path of a
//! Unix socket may have 107 bytes at most. Every process that the tests start works inside one of them: that is how
//! the watchdog knows them.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory of its own that is removed when dropped (unless `HIS_KEEP` is set).
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
}

impl Place {
    /// Makes a new one; `what` is for the eyes of whoever looks into /tmp.
    pub fn new(what: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        watch();
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = PathBuf::from(format!("{}{number}-{what}", prefix()));
            match DirBuilder::new().mode(0o755).create(&path) {
                Ok(()) => return Self { path },
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => panic!("cannot make {}: {e}", path.display()),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The place of this process for output of programs that have no place of their own; it lives as long as the process.
    pub fn common() -> &'static Path {
        static COMMON: OnceLock<Place> = OnceLock::new();
        COMMON.get_or_init(|| Self::new("run")).path()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::env::var_os("HIS_KEEP").is_some() {
            eprintln!("kept: {}", self.path.display());
        } else if let Err(e) = fs::remove_dir_all(&self.path) {
            // Not a panic: a second one while a failed test unwinds would hide the first.
            eprintln!("cannot remove {}: {e}", self.path.display());
        }
    }
}

/// What the names of all places of this process begin with.
fn prefix() -> String {
    format!("/tmp/his-{}-", std::process::id())
}

/// Starts the watchdog once: a shell that waits for the end of a pipe which only this process holds, then ends
/// every process that works in a place of ours, frozen ones too, and removes the places.
fn watch() {
    static WATCHDOG: OnceLock<Child> = OnceLock::new();
    // SIGQUIT first, so that a server can give back its shared memory.
    const SCRIPT: &str = r#"
        read -r _
        for signal in QUIT KILL; do
            tries=0
            while [ $tries -lt 20 ]; do
                found=
                for process in /proc/[0-9]*; do
                    case "$(readlink "$process/cwd")" in
                        "$0"*) found=1; kill -s "$signal" "${process#/proc/}"; kill -s CONT "${process#/proc/}" ;;
                    esac
                done
                [ -z "$found" ] && break
                tries=$((tries + 1)); sleep 0.1
            done
        done
        [ -n "$HIS_KEEP" ] || rm -rf "$0"*"#;
    WATCHDOG.get_or_init(|| {
        Command::new("sh")
            .args(["-c", SCRIPT, &prefix()])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0) // out of reach of Ctrl-C, which would end it together with the tests
            .spawn()
            .expect("a shell can be started as watchdog")
    });
}
