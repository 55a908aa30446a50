//! What starting a `PostgreSQL` server takes: its programs, an ordinary user to run it, a template of a fresh cluster,
//! and a thread that all servers are children of.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};
use std::thread;

use super::place::Place;

/// The user and group that servers run as when the tests run as root.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
}

/// The path of a `PostgreSQL` program: from where PATH's `postgres` really lies, or the newest
/// /usr/lib/postgresql/*/bin. (What Debian has on PATH as `psql` is a wrapper that takes longer than `psql` itself.)
pub fn bin(name: &str) -> PathBuf {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    let dir = DIR.get_or_init(|| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut installed: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let entry = entry.ok()?;
                Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
            })
            .collect();
        installed.sort();
        std::env::split_paths(&path)
            .chain(installed.into_iter().rev().map(|(_, dir)| dir))
            .filter_map(|dir| Some(dir.join("postgres").canonicalize().ok()?.parent()?.to_owned()))
            .find(|dir| dir.join("initdb").is_file())
            .expect("no PostgreSQL server on PATH or in /usr/lib/postgresql: `make deps` installs it")
    });
    let beside = dir.join(name);
    if beside.is_file() { beside } else { PathBuf::from(name) }
}

/// Where the programs of a kind of server are: `$HIS_PRIMARY_PG_BIN` or `$HIS_STANDBY_PG_BIN`, for servers of different
/// versions (a third one is like the primary), else where all programs are.
fn bin_of(kind: &str, name: &str) -> PathBuf {
    let variable = if kind == "standby" { "HIS_STANDBY_PG_BIN" } else { "HIS_PRIMARY_PG_BIN" };
    match std::env::var_os(variable) {
        Some(dir) => PathBuf::from(dir).join(name),
        None => bin(name),
    }
}

/// Who runs the servers: nobody in particular (we ourselves), or a user of the system when we are root.
pub fn account() -> Option<Account> {
    static ACCOUNT: OnceLock<Option<Account>> = OnceLock::new();
    *ACCOUNT.get_or_init(|| {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd can be read");
        let find = |name: &str| {
            let fields: Vec<&str> = users.lines().map(|l| l.split(':').collect()).find(|f: &Vec<_>| f[0] == name)?;
            Some(Account { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? })
        };
        Some(find("postgres").or_else(|| find("nobody")).expect("a user `postgres` or `nobody` to run servers as"))
    })
}

/// Gives a directory of ours to the user that runs the servers.
pub fn hand_over(dir: &Path) {
    if let Some(Account { uid, gid }) = account() {
        chown(dir, Some(uid), Some(gid)).unwrap_or_else(|e| panic!("cannot hand over {}: {e}", dir.display()));
    }
}

/// A program of a kind of server, as [`as_servers_user`] runs it.
pub fn as_server(kind: &str, program: &str) -> Command {
    as_servers_user(&bin_of(kind, program))
}

/// A command that runs as the servers' user and is told to quit when the thread that started it ends.
pub fn as_servers_user(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if let Some(Account { uid, gid }) = account() {
        command.arg(format!("--reuid={uid}")).arg(format!("--regid={gid}")).arg("--clear-groups");
    }
    command.args(["--pdeathsig", "QUIT"]).arg(program).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command.env("LC_ALL", "C.UTF-8");
    command
}

/// Starts a child of a thread that lives as long as the process: a parent-death signal comes with the end of the
/// thread that forked, and the thread of a test ends before a server that several tests share.
pub fn spawn(command: Command) -> io::Result<Child> {
    type Job = (Command, mpsc::Sender<io::Result<Child>>);
    static JOBS: OnceLock<Mutex<mpsc::Sender<Job>>> = OnceLock::new();
    let jobs = JOBS.get_or_init(|| {
        let (sender, jobs) = mpsc::channel::<Job>();
        thread::spawn(move || {
            for (mut command, answer) in jobs {
                // The one who asked may have given up; then the child is not wanted either, and dies with us.
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let (answer, child) = mpsc::channel();
    jobs.lock().unwrap_or_else(PoisonError::into_inner).send((command, answer)).expect("the spawning thread lives");
    child.recv().expect("the spawning thread answers")
}

/// A fresh cluster to copy, made once for each kind, version, user and boot of the machine. Kinds have templates of
/// their own, so that a primary and a standby never have the same system identifier.
pub fn template(kind: &str) -> PathBuf {
    // One at a time in this process; other processes are met by the rename.
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);

    let uid = account().map_or_else(|| rustix::process::geteuid().as_raw(), |a| a.uid);
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let boot = boot.get(..8).unwrap_or("unknown");
    let family = format!("his-template-{uid}-");
    let template = PathBuf::from(format!("/tmp/{family}{boot}-{}-{kind}", version(kind)));
    match fs::metadata(&template) {
        Ok(there) => {
            assert_eq!(there.uid(), uid, "{} belongs to somebody else: remove it", template.display());
            return template;
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => panic!("cannot look at {}: {e}", template.display()),
    }
    forget_other_boots(&family, boot);

    let place = Place::new("init");
    hand_over(place.path());
    let data = place.path().join("data");
    let mut initdb = as_server(kind, "initdb");
    initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D"]).arg(&data);
    let made = initdb.current_dir(place.path()).output().expect("setpriv (util-linux) can be started");
    assert!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));
    if let Err(e) = fs::rename(&data, &template) {
        // Another test process was faster: its template is as good.
        assert!(template.is_dir(), "cannot rename {} to {}: {e}", data.display(), template.display());
    }
    template
}

/// Templates of an earlier boot may be torn, since nothing was synced: they go.
fn forget_other_boots(family: &str, boot: &str) {
    for entry in fs::read_dir("/tmp").into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.to_str().and_then(|n| n.strip_prefix(family)).is_some_and(|rest| !rest.starts_with(boot)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The server's version in a form that fits into a file name.
fn version(kind: &str) -> String {
    let said = Command::new(bin_of(kind, "postgres")).arg("--version").output().expect("postgres can be started");
    let said = String::from_utf8_lossy(&said.stdout);
    let number = said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    number.expect("postgres says its version").to_owned()
}
