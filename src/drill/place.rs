//! The private servers of a drill: made, started, killed, frozen, cut off and thrown away.

use crate::db::{Server, Side, programs};
use crate::error::{Cannot, Error, Result};
use crate::profile::Profile;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the name of every place begins with; nothing else is ever removed.
pub const PREFIX: &str = "his-drill-";

/// Where everything of one drill lies. The sockets have short paths of their own, because a Unix socket's may have 107 bytes.
#[derive(Debug)]
pub struct Place {
    pub dir: PathBuf,
    pub primary: Private,
    pub standby: Private,
}

/// One private server.
#[derive(Debug)]
pub struct Private {
    side: Side,
    data: PathBuf,
    socket: PathBuf,
    port: u16,
    account: Option<(u32, u32)>,
}

impl Place {
    /// The place of a drill in `dir`, whether or not it was made yet.
    pub fn at(dir: &Path) -> Result<Place> {
        let account = account()?;
        let server = |side: Side, port| Private {
            side,
            data: dir.join(format!("{side}-data")),
            socket: dir.join(if side == Side::Primary { "p" } else { "s" }),
            port,
            account,
        };
        Ok(Place {
            dir: dir.to_path_buf(),
            primary: server(Side::Primary, 54_321),
            standby: server(Side::Standby, 54_322),
        })
    }

    /// Makes directory and servers, and starts them.
    pub fn make(&self, timezone: &str) -> Result<()> {
        let doing = || format!("make the place of the drill '{}'", self.dir.display());
        // Others may pass through, and not look: the server's user is another one when root runs a drill.
        DirBuilder::new().recursive(true).mode(0o711).create(&self.dir).cannot(doing())?;
        std::thread::scope(|scope| {
            let standby = scope.spawn(|| self.standby.make(timezone));
            let primary = self.primary.make(timezone);
            standby.join().unwrap_or_else(|_| Err(Error::failed(doing(), "the standby was not made"))).and(primary)
        })
    }

    /// Ends the servers and removes everything; what is not there is no hindrance.
    pub fn remove(&self) -> Result<()> {
        if !self.dir.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX)) {
            let doing = format!("remove '{}'", self.dir.display());
            return Err(Error::damaged(doing, format!("it is no place of a drill (expected {PREFIX}N)")));
        }
        self.primary.end();
        self.standby.end();
        match fs::remove_dir_all(&self.dir) {
            // Also one that could never be made.
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(()),
            other => other.cannot(format!("remove '{}'", self.dir.display())),
        }
    }
}

impl Private {
    /// How a profile names it.
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@/{database}?host={}&port={}", self.socket.display(), self.port)
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// It as a server of a profile that is like the live one.
    pub fn server(&self, live: &Profile) -> Result<Server> {
        let database = if self.side == Side::Primary { live.primary()? } else { live.standby()? }.database().to_owned();
        Ok(Server::parse(self.side, &self.url(&database))?.named("his-drill"))
    }

    fn make(&self, timezone: &str) -> Result<()> {
        let doing = || format!("make the drill's {}", self.side);
        for dir in [&self.data, &self.socket] {
            DirBuilder::new().mode(0o700).create(dir).cannot(doing())?;
            if let Some((uid, gid)) = self.account {
                chown(dir, Some(uid), Some(gid)).cannot(doing())?;
            }
        }
        let data = self.data.display().to_string();
        self.program(
            "initdb",
            &["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"],
        )?;
        let settings = format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\nport = {}\ntimezone = '{timezone}'\nmax_connections = 100\n\
             shared_buffers = '128MB'\nmax_wal_size = '2GB'\nfsync = off\nlogging_collector = off\n",
            self.socket.display(),
            self.port
        );
        let path = self.data.join("postgresql.conf");
        let mut text = fs::read_to_string(&path).cannot(doing())?;
        text.push_str(&settings);
        fs::write(&path, text).cannot(doing())?;
        self.start()
    }

    pub fn start(&self) -> Result<()> {
        let (data, log) = (self.data.display().to_string(), self.data.join("drill.log").display().to_string());
        self.program("pg_ctl", &["-D", &data, "-l", &log, "-w", "-t", "120", "start"])
    }

    /// As a machine that loses its power.
    pub fn kill(&self) -> Result<()> {
        let data = self.data.display().to_string();
        self.program("pg_ctl", &["-D", &data, "-m", "immediate", "-w", "stop"])
    }

    /// Stops every process of it where it is.
    pub fn freeze(&self) -> Result<()> {
        let postmaster = self.postmaster()?;
        // The postmaster first, so that no child is born while the others are being stopped.
        signal(postmaster, Signal::STOP);
        children(postmaster).into_iter().for_each(|child| signal(child, Signal::STOP));
        Ok(())
    }

    pub fn thaw(&self) -> Result<()> {
        let postmaster = self.postmaster()?;
        children(postmaster).into_iter().for_each(|child| signal(child, Signal::CONT));
        signal(postmaster, Signal::CONT);
        Ok(())
    }

    /// Takes its socket away: it runs, and nobody reaches it.
    pub fn cut_off(&self) -> Result<()> {
        fs::rename(self.socket_file(), self.socket.join("cut")).cannot("cut the drill's primary off")
    }

    pub fn reconnect(&self) -> Result<()> {
        fs::rename(self.socket.join("cut"), self.socket_file()).cannot("reconnect the drill's primary")
    }

    /// Ends it in whatever state it is.
    fn end(&self) {
        if self.postmaster().is_ok() {
            let _ = self.thaw();
            let _ = self.kill();
        }
    }

    fn socket_file(&self) -> PathBuf {
        self.socket.join(format!(".s.PGSQL.{}", self.port))
    }

    fn postmaster(&self) -> Result<Pid> {
        let doing = || format!("find the drill's {}", self.side);
        let text = fs::read_to_string(self.data.join("postmaster.pid")).cannot(doing())?;
        let pid = text.lines().next().and_then(|line| line.trim().parse().ok()).and_then(Pid::from_raw);
        pid.ok_or_else(|| Error::failed(doing(), "its postmaster.pid names no process"))
    }

    /// Runs a program of the server as the server's user, its output kept out of ours.
    fn program(&self, name: &str, args: &[&str]) -> Result<()> {
        let doing = || format!("run {name} for the drill's {}", self.side);
        let program = programs::find(name).map_err(|e| {
            e.hint("a drill makes private servers: install the PostgreSQL server (apt-get install postgresql) on this machine.")
        })?;
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).current_dir("/").env("LC_ALL", "C.UTF-8");
        // Into a file: a server that is started goes on holding a pipe, and nobody would see its end.
        let (talk, again) = tempfile::tempfile().and_then(|t| Ok((t.try_clone()?, t))).cannot(doing())?;
        command.stdout(talk.try_clone().cannot(doing())?).stderr(talk);
        if let Some((uid, gid)) = self.account {
            command.uid(uid).gid(gid);
        }
        let status = command.status().cannot(doing())?;
        if status.success() {
            return Ok(());
        }
        let mut said = String::new();
        let mut again = again;
        let _ = std::io::Seek::rewind(&mut again).and_then(|()| std::io::Read::read_to_string(&mut again, &mut said));
        let last = said.lines().rfind(|l| !l.trim().is_empty()).unwrap_or("it said nothing").to_owned();
        Err(Error::failed(doing(), format!("{status}: {last}")))
    }
}

/// PostgreSQL refuses to run as root: then it is run as `postgres`, or as `nobody`.
fn account() -> Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let doing = "find a user to run the drill's servers as";
    let users = fs::read_to_string("/etc/passwd").cannot(doing)?;
    let find = |name: &str| {
        let fields: Vec<&str> = users.lines().map(|l| l.split(':').collect()).find(|f: &Vec<_>| f[0] == name)?;
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody")).map(Some).ok_or_else(|| {
        Error::failed(doing, "there is neither a user 'postgres' nor 'nobody'")
            .hint("run the drill as the user that owns the store: sudo -u his his-drill …")
    })
}

/// One that has just ended cannot be signalled, and need not be.
fn signal(process: Pid, signal: Signal) {
    let _ = kill_process(process, signal);
}

fn children(of: Pid) -> Vec<Pid> {
    let child = |stat: &str| {
        // pid (name) state parent …; a name may hold anything, brackets too.
        let (pid, rest) = (stat.split_once(' ')?.0, stat.rsplit_once(") ")?.1);
        let parent: i32 = rest.split(' ').nth(1)?.parse().ok()?;
        (parent == of.as_raw_nonzero().get()).then_some(Pid::from_raw(pid.parse().ok()?)?)
    };
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    processes.flatten().filter_map(|p| child(&fs::read_to_string(p.path().join("stat")).ok()?)).collect()
}
