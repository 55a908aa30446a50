//! A private `PostgreSQL` server that can be stopped, killed, frozen and started again. It listens on a Unix socket in a
//! directory of its own and nowhere else.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::place::Place;
use super::{server, wait_until};

/// How long a server may take to start, crash recovery included, or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a server is in a test. Each kind has a port and a system identifier of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Primary,
    Standby,
    /// For what should have come out, done directly.
    Third,
}

impl Kind {
    /// In lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Standby => "standby",
            Self::Third => "third",
        }
    }

    /// The same for every server of the kind: sockets lie in directories of their own, so ports never meet, and
    /// `current_setting('port')` tells a client which side it is on.
    pub fn port(self) -> u16 {
        match self {
            Self::Primary => 54_321,
            Self::Standby => 54_322,
            Self::Third => 54_323,
        }
    }
}

/// A server; when dropped, it is killed and its files are removed.
#[derive(Debug)]
pub struct Cluster {
    kind: Kind,
    server: Mutex<Option<Child>>,
    place: Place, // the last field: removed when the server is gone
}

impl Cluster {
    /// Starts a fresh one, without fsync.
    pub fn start(kind: Kind) -> Self {
        Self::start_with(kind, &[])
    }

    /// Starts a fresh one with settings, for example `[("fsync", "on"), ("max_prepared_transactions", "5")]`.
    pub fn start_with(kind: Kind, settings: &[(&str, &str)]) -> Self {
        let template = server::template(kind.name());
        let cluster = Self { kind, server: Mutex::new(None), place: Place::new(kind.name()) };
        super::copy(&template, &cluster.data());
        fs::create_dir(cluster.socket_dir()).expect("the place is new");
        server::hand_over(cluster.socket_dir().as_path());
        cluster.configure(settings);
        cluster.start_again();
        cluster
    }

    /// Starts a primary and a standby, both at once.
    pub fn pair() -> (Self, Self) {
        let standby = thread::spawn(|| Self::start(Kind::Standby));
        let primary = Self::start(Kind::Primary);
        (primary, standby.join().expect("the standby starts"))
    }

    /// Which kind it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The directory of its socket, which libpq takes as `host`.
    pub fn socket_dir(&self) -> PathBuf {
        self.place.path().join("s")
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.place.path().join("data")
    }

    /// The port, which is part of the socket's name.
    pub fn port(&self) -> u16 {
        self.kind.port()
    }

    /// What the server has logged up to now.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_file()).unwrap_or_default()).into_owned()
    }

    /// Whether the server's process is there (frozen or not).
    pub fn running(&self) -> bool {
        self.child().as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Stops it as a crash does: nothing is written any more (`pg_ctl stop -m immediate`).
    pub fn stop_immediate(&self) {
        self.stop(Signal::QUIT);
    }

    /// Ends all its processes where they are, frozen ones too, before any of them does another step: what a machine does
    /// that loses its power.
    pub fn power_off(&self) {
        let postmaster = self.postmaster().expect("a running server");
        self.freeze(); // children that are not born any more need not be looked for
        signal_all(&children_of(postmaster), Signal::KILL);
        signal(postmaster, Signal::KILL);
        wait_until("the server is gone", PATIENCE, || !self.running());
        *self.child() = None;
    }

    /// Stops it in order, ending its sessions (`pg_ctl stop -m fast`).
    pub fn stop_fast(&self) {
        self.stop(Signal::INT);
    }

    /// Starts it on the data it has, and waits until it answers.
    pub fn start_again(&self) {
        assert!(!self.running(), "the {} runs", self.kind.name());
        let log = File::options().create(true).append(true).open(self.log_file()).expect("the log can be written");
        let mut command = server::as_server(self.kind.name(), "postgres");
        command.process_group(0); // Ctrl-C, and the end of a group that the tests run in, are left to the watchdog
        command.arg("-D").arg(self.data()).current_dir(self.place.path());
        command.stdout(log.try_clone().expect("a file can be opened twice")).stderr(log);
        *self.child() = Some(server::spawn(command).expect("setpriv (util-linux) can be started"));
        let began = Instant::now();
        while let Err(e) = self.connect("postgres", "postgres") {
            let name = self.kind.name();
            assert!(self.running(), "the {name} did not start\n{}", self.log());
            assert!(began.elapsed() < PATIENCE, "the {name} does not answer: {e:?}\n{}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops all its processes where they are: it keeps its connections and answers nothing.
    pub fn freeze(&self) {
        let postmaster = self.postmaster().expect("a running server");
        // The postmaster first, so that no child is born while the others are being stopped.
        signal(postmaster, Signal::STOP);
        wait_until("the server stands still", PATIENCE, || {
            let children = children_of(postmaster);
            signal_all(&children, Signal::STOP);
            // A stopped postmaster buries no child that has just ended.
            children.iter().all(|&(_, state)| matches!(state, 'T' | 'Z'))
        });
    }

    /// Lets it go on after `freeze`.
    pub fn thaw(&self) {
        if let Some(postmaster) = self.postmaster() {
            signal_all(&children_of(postmaster), Signal::CONT);
            signal(postmaster, Signal::CONT);
        }
    }

    fn configure(&self, settings: &[(&str, &str)]) {
        let socket_dir = self.socket_dir().to_string_lossy().into_owned();
        let port = self.port().to_string();
        let ours = [
            ("listen_addresses", ""),
            ("unix_socket_directories", socket_dir.as_str()),
            ("port", port.as_str()),
            ("max_connections", "100"),
            ("shared_buffers", "64MB"),
            // Files in the data directory, which go with it also after a kill.
            ("dynamic_shared_memory_type", "mmap"),
            ("fsync", "off"),
            ("timezone", "Asia/Shanghai"),
            ("log_timezone", "Asia/Shanghai"),
            ("log_line_prefix", "%m [%p] %q%u@%d %a "),
        ];
        let path = self.data().join("postgresql.conf");
        let mut file = File::options().append(true).open(path).expect("a fresh cluster has its settings");
        for (name, value) in ours.iter().chain(settings) {
            writeln!(file, "{name} = '{}'", value.replace('\'', "''")).expect("settings can be written");
        }
    }

    fn stop(&self, signal_of_mode: Signal) {
        let postmaster = self.postmaster().expect("a running server");
        signal(postmaster, signal_of_mode);
        self.thaw(); // a frozen one would never hear of it
        let name = format!("the {} stops", self.kind.name());
        wait_until(&name, PATIENCE, || !self.running());
        *self.child() = None;
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn postmaster(&self) -> Option<Pid> {
        self.running().then(|| self.child().as_ref().map(Pid::from_child)).flatten()
    }

    fn log_file(&self) -> PathBuf {
        self.place.path().join("log")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let Some(postmaster) = self.postmaster() else { return };
        signal(postmaster, Signal::QUIT);
        self.thaw();
        let began = Instant::now();
        while self.running() {
            if began.elapsed() > Duration::from_secs(10) {
                signal_all(&children_of(postmaster), Signal::KILL);
                signal(postmaster, Signal::KILL);
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A process that has just ended cannot be signalled, and need not be.
fn signal(process: Pid, signal: Signal) {
    let _ = kill_process(process, signal);
}

fn signal_all(processes: &[(Pid, char)], each: Signal) {
    for &(process, _) in processes {
        signal(process, each);
    }
}

/// The children of a process, each with the letter of its state.
fn children_of(parent: Pid) -> Vec<(Pid, char)> {
    let child = |stat: &str| {
        // pid (name) state parent …; a name may hold anything, brackets too.
        let (pid, rest) = (stat.split_once(' ')?.0, stat.rsplit_once(") ")?.1);
        let mut fields = rest.split(' ');
        let state = fields.next()?.chars().next()?;
        let of: i32 = fields.next()?.parse().ok()?;
        (of == parent.as_raw_nonzero().get()).then_some((Pid::from_raw(pid.parse().ok()?)?, state))
    };
    let processes = fs::read_dir("/proc").expect("/proc can be read").flatten();
    processes.filter_map(|entry| child(&fs::read_to_string(entry.path().join("stat")).ok()?)).collect()
}
