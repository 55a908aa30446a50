//! A program as a user runs it: by its path, with arguments and an environment, judged by its exit code and by what it
//! prints. Output goes to files, so that nobody waits for a pipe that a grandchild still holds, and a program that
//! hangs fails the test in place of hanging it.

use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::place::Place;
use super::server::bin;
use super::wait_until;

/// Every program of ours.
pub const PROGRAMS: [&str; 10] = [
    "his-snapshot",
    "his-load-standby",
    "his-switch",
    "his-export-queue",
    "his-merge",
    "his-import-paper",
    "his-desk",
    "his-watch",
    "his-incident",
    "his-drill",
];

/// How long a program may take unless the test says otherwise.
const LIMIT: Duration = Duration::from_secs(120);

/// A program that is about to be run.
#[derive(Debug)]
pub struct Program {
    command: Command,
    stdin: Option<String>,
    limit: Duration,
}

impl Program {
    /// One of our own, by its name.
    pub fn ours(name: &str) -> Self {
        Self::at(&Self::path(name))
    }

    /// Where one of our own lies.
    pub fn path(name: &str) -> PathBuf {
        PathBuf::from(match name {
            "his-snapshot" => env!("CARGO_BIN_EXE_his-snapshot"),
            "his-load-standby" => env!("CARGO_BIN_EXE_his-load-standby"),
            "his-switch" => env!("CARGO_BIN_EXE_his-switch"),
            "his-export-queue" => env!("CARGO_BIN_EXE_his-export-queue"),
            "his-merge" => env!("CARGO_BIN_EXE_his-merge"),
            "his-import-paper" => env!("CARGO_BIN_EXE_his-import-paper"),
            "his-desk" => env!("CARGO_BIN_EXE_his-desk"),
            "his-incident" => env!("CARGO_BIN_EXE_his-incident"),
            "his-drill" => env!("CARGO_BIN_EXE_his-drill"),
            "his-watch" => env!("CARGO_BIN_EXE_his-watch"),
            other => panic!("there is no program {other}"),
        })
    }

    /// `psql` with the switches that scripts want, on a connection string or URL.
    pub fn psql(conninfo: &str) -> Self {
        Self::at(&bin("psql")).args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", conninfo])
    }

    /// Any program, by its path; it is freed of settings for `PostgreSQL` and for us that the tester's shell may have.
    pub fn at(path: &Path) -> Self {
        let mut command = Command::new(path);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("PG") || text.starts_with("HIS_") || text.starts_with("RUST_") || text == "NO_COLOR" {
                command.env_remove(name);
            }
        }
        command.env("LC_ALL", "C.UTF-8").current_dir(Place::common());
        Self { command, stdin: None, limit: LIMIT }
    }

    /// Adds arguments.
    pub fn args<S: AsRef<std::ffi::OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    /// Runs it by a clock that is off by this much ("-1h", "+30s").
    pub fn clock(self, by: &str) -> Self {
        let found = std::fs::read_dir("/usr/lib").expect("it is there").flatten();
        let found = found.map(|d| d.path().join("faketime/libfaketime.so.1")).find(|library| library.exists());
        let library = found.expect("libfaketime is not installed: `make deps` installs it");
        self.env("LD_PRELOAD", library).env("FAKETIME", by).env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Lets it work in this directory.
    pub fn dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Gives it this to read; without it, standard input is empty.
    pub fn stdin(mut self, text: &str) -> Self {
        self.stdin = Some(text.to_owned());
        self
    }

    /// Fails the test after this time; without it, after two minutes.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it to its end.
    pub fn run(self) -> Ran {
        self.start().wait()
    }

    /// Starts it and goes on.
    pub fn start(mut self) -> Running {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = |what: &str| Place::common().join(format!("{number}.{what}"));
        let (input, stdout, stderr) = (path("in"), path("out"), path("err"));
        let create = |path: &Path| File::create(path).unwrap_or_else(|e| panic!("cannot make {}: {e}", path.display()));
        if let Some(text) = &self.stdin {
            fs::write(&input, text).expect("input can be written");
            self.command.stdin(File::open(&input).expect("input was written"));
            fs::remove_file(&input).expect("input was written");
        } else {
            self.command.stdin(Stdio::null());
        }
        self.command.stdout(create(&stdout)).stderr(create(&stderr));
        self.command.process_group(0); // so that what it started can be ended with it
        let what = describe(&self.command);
        let child = self.command.spawn().unwrap_or_else(|e| panic!("cannot start {what}: {e}"));
        Running { child, what, stdout, stderr, began: Instant::now(), limit: self.limit, status: None }
    }
}

/// A program that was started; when dropped, it and what it started are killed.
#[derive(Debug)]
pub struct Running {
    child: Child,
    what: String,
    stdout: PathBuf,
    stderr: PathBuf,
    began: Instant,
    limit: Duration,
    status: Option<ExitStatus>,
}

impl Running {
    /// Waits for its end; panics, showing what it has printed, when it takes longer than its limit.
    pub fn wait(mut self) -> Ran {
        while self.running() {
            let (what, limit) = (&self.what, self.limit.as_secs());
            let in_time = self.began.elapsed() <= self.limit;
            assert!(in_time, "{what} hangs: no end after {limit} seconds{}\n{}", self.waits(), self.shown());
            thread::sleep(Duration::from_millis(2));
        }
        self.ran()
    }

    /// What each of its threads waits for, and what it has open.
    fn waits(&self) -> String {
        let process = Path::new("/proc").join(self.child.id().to_string());
        let mut told = String::new();
        for task in fs::read_dir(process.join("task")).into_iter().flatten().flatten() {
            for file in ["comm", "wchan", "syscall"] {
                told += &format!("\n  {}", fs::read_to_string(task.path().join(file)).unwrap_or_default().trim());
            }
        }
        for file in fs::read_dir(process.join("fd")).into_iter().flatten().flatten() {
            let leads_to = fs::read_link(file.path()).unwrap_or_default();
            told += &format!("\n  {} -> {}", file.file_name().to_string_lossy(), leads_to.display());
        }
        told
    }

    /// Kills it (SIGKILL, it alone) and waits for its end; one that has ended before is as it ended.
    pub fn kill(mut self) -> Ran {
        if self.running() {
            self.signal(Signal::KILL);
            self.status = Some(self.child.wait().expect("a child can be awaited"));
        }
        self.ran()
    }

    /// Stops it where it is, as a stuck program.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after `freeze`.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        if self.status.is_none() {
            kill_process(Pid::from_child(&self.child), signal)
                .unwrap_or_else(|e| panic!("cannot signal {}: {e}", self.what));
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs (or is frozen).
    pub fn running(&mut self) -> bool {
        if self.status.is_none() {
            self.status = self.child.try_wait().expect("a child can be asked");
        }
        self.status.is_none()
    }

    /// What it has written to standard output up to now.
    pub fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// What it has written to standard error up to now.
    pub fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// Waits until it has printed this somewhere; panics when it ends without.
    pub fn wait_for(&mut self, text: &str) {
        let what = format!("{} prints '{text}'", self.what);
        wait_until(&what, self.limit, || {
            let running = self.running();
            let said = self.stdout().contains(text) || self.stderr().contains(text);
            assert!(said || running, "{} ended without '{text}'\n{}", self.what, self.shown());
            said
        });
    }

    fn shown(&self) -> String {
        format!("--- stdout\n{}--- stderr\n{}---", self.stdout(), self.stderr())
    }

    fn ran(&self) -> Ran {
        let status = self.status.expect("it has ended");
        Ran {
            what: self.what.clone(),
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()),
            stdout: self.stdout(),
            stderr: self.stderr(),
            took: self.began.elapsed(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The group, because a pg_dump that it started may be left. That nobody is there any more is the usual case.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.stdout);
        let _ = fs::remove_file(&self.stderr);
    }
}

/// A program that has ended.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The command line.
    pub what: String,
    /// The exit code; 128 and the signal's number for one that was killed, as shells say it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Ran {
    /// Panics, showing everything, unless it ended with this exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert!(
            self.code == code,
            "{} ended with exit code {}, expected {code}\n{}",
            self.what,
            self.code,
            self.shown()
        );
        self
    }

    /// Panics, showing everything, unless it printed this on standard output or standard error.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        let said = self.stdout.contains(text) || self.stderr.contains(text);
        assert!(said, "{} does not say '{text}'\n{}", self.what, self.shown());
        self
    }

    /// The one JSON object on standard output; panics, showing everything, when there is something else.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        match serde_json::from_str(&self.stdout) {
            Ok(value @ serde_json::Value::Object(_)) => value,
            Ok(_) => panic!("{} printed JSON that is no object\n{}", self.what, self.shown()),
            Err(e) => panic!("{} printed no JSON object: {e}\n{}", self.what, self.shown()),
        }
    }

    /// What its HINT line says; empty without one.
    pub fn hint(&self) -> &str {
        self.stderr.lines().find_map(|line| line.trim().strip_prefix("HINT: ")).unwrap_or_default()
    }

    /// Everything it printed, for the message of a failed test.
    pub fn shown(&self) -> String {
        format!("--- stdout\n{}--- stderr\n{}---", self.stdout, self.stderr)
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

fn describe(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(name).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
