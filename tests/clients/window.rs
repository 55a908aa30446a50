//! A window: a client program with a driver in it, told what to do by lines and answering by lines.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// What a driver may take for one answer, a frozen server, a busy machine and the start of a virtual machine included.
const LIMIT: Duration = Duration::from_secs(60);

/// One client program; killed when dropped.
pub struct Window {
    /// The driver's name.
    pub driver: &'static str,
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    complaints: Arc<Mutex<String>>,
}

impl Window {
    /// Starts it; gives it with the versions that it says first.
    pub fn start(driver: &'static str, mut command: Command) -> (Self, String) {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("cannot start the window of {driver}: {e}"));
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let complaints = Arc::new(Mutex::new(String::new()));
        let (mut stderr, heard) = (child.stderr.take().expect("piped"), Arc::clone(&complaints));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = stderr.read(&mut bytes) {
                heard.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
        });
        let mut window = Self { driver, stdin: child.stdin.take().expect("piped"), child, lines, complaints };
        let versions = window.answer("its start");
        (window, versions)
    }

    /// Tells it what to do, and goes on.
    pub fn tell(&mut self, line: &str) {
        let told = self.stdin.write_all(format!("{line}\n").as_bytes());
        assert!(told.is_ok(), "the window of {} is gone: {}", self.driver, self.complaints());
    }

    /// Its answer to what it was told; panics when there is none within the limit.
    pub fn answer(&mut self, to: &str) -> String {
        self.lines.recv_timeout(LIMIT).unwrap_or_else(|_| {
            let ended = self.child.try_wait();
            panic!("the window of {} has no answer to '{to}' ({ended:?}): {}", self.driver, self.complaints())
        })
    }

    /// Whether it has answered already; it stays to be read.
    pub fn answered(&self) -> Option<String> {
        self.lines.try_recv().ok()
    }

    fn complaints(&self) -> String {
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that is freed of settings for `PostgreSQL` that the tester's shell may have, and works in this folder.
pub fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command.env("LC_ALL", "C.UTF-8").current_dir(folder);
    command
}

/// Where the client programs are.
pub fn source(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(file)
}
