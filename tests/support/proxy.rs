//! A network between a client and a server that can be slow, silent or gone. It passes bytes on and understands none,
//! so TLS requests, cancellations and COPY go through it like anything else.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::cluster::Cluster;
use super::place::Place;
use super::sql::url;

/// How soon a change of mode is felt.
const TICK: Duration = Duration::from_millis(10);

/// What the network does with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Passes them on.
    Pass,
    /// Accepts connections and bytes and passes nothing on; what it holds is passed on when the mode is `Pass` again.
    Swallow,
    /// Ends every connection and refuses new ones, as a machine whose server is dead.
    Cut,
    /// Passes them on later, by this much in each direction.
    Delay(Duration),
    /// Passes on so many more bytes, in the middle of whatever it is, then ends every connection.
    Truncate(usize),
}

/// Where clients come in.
#[derive(Clone, Debug)]
enum Door {
    /// A socket file named as libpq expects it.
    Unix(PathBuf),
    /// A port of the loopback address.
    Tcp(u16),
}

/// A proxy in front of one server; when dropped, it ends its connections.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    door: Door,
    port: u16,
    place: Place,
    listener: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    target: Mutex<PathBuf>,
    mode: Mutex<Mode>,
    /// Of `Truncate`: bytes that still pass.
    left: AtomicUsize,
    closing: AtomicBool,
    accepted: AtomicUsize,
}

impl Shared {
    fn mode(&self) -> Mode {
        if self.closing.load(Ordering::Relaxed) {
            Mode::Cut
        } else {
            *self.mode.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

impl Shared {
    /// As many of `bytes` as still pass.
    fn take(&self, bytes: usize) -> usize {
        let less = |left: usize| Some(left.saturating_sub(bytes));
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).unwrap_or(0);
        left.min(bytes)
    }
}

impl Proxy {
    /// A Unix socket in a directory of its own, with the server's port in its name.
    pub fn unix(cluster: &Cluster) -> Self {
        let place = Place::new("proxy");
        let door = Door::Unix(place.path().join(format!(".s.PGSQL.{}", cluster.port())));
        Self::start(cluster, place, door, cluster.port())
    }

    /// A port of 127.0.0.1.
    pub fn tcp(cluster: &Cluster) -> Self {
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a free port").port();
        Self::start(cluster, Place::new("proxy"), Door::Tcp(free), free)
    }

    fn start(cluster: &Cluster, place: Place, door: Door, port: u16) -> Self {
        let shared = Arc::new(Shared {
            target: Mutex::new(cluster.socket_dir().join(format!(".s.PGSQL.{}", cluster.port()))),
            mode: Mutex::new(Mode::Pass),
            left: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            accepted: AtomicUsize::new(0),
        });
        let first = Listener::bind(&door).unwrap_or_else(|e| panic!("the proxy cannot listen on {door:?}: {e}"));
        let thread = thread::spawn({
            let (shared, door) = (Arc::clone(&shared), door.clone());
            move || listen(&shared, &door, first)
        });
        Self { shared, door, port, place, listener: Some(thread) }
    }

    /// Changes what the network does, for the connections that there are too; on return, `Cut` already refuses.
    pub fn set(&self, mode: Mode) {
        if let Mode::Truncate(bytes) = mode {
            self.shared.left.store(bytes, Ordering::Relaxed);
        }
        *self.shared.mode.lock().unwrap_or_else(PoisonError::into_inner) = mode;
        thread::sleep(TICK * 3);
    }

    /// Leads new connections to another server, as an address does that moves in a failover.
    pub fn lead_to(&self, socket: PathBuf) {
        *self.shared.target.lock().unwrap_or_else(PoisonError::into_inner) = socket;
    }

    /// What the network does now.
    pub fn mode(&self) -> Mode {
        self.shared.mode()
    }

    /// The connections accepted up to now.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// What libpq takes as `host`: the directory of the socket, or 127.0.0.1.
    pub fn host(&self) -> String {
        match self.door {
            Door::Unix(_) => self.place.path().to_string_lossy().into_owned(),
            Door::Tcp(_) => "127.0.0.1".to_owned(),
        }
    }

    /// The port, of TCP or in the socket's name.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a database behind it, for the superuser.
    pub fn url(&self, db: &str) -> String {
        self.url_as("postgres", db)
    }

    /// The URL of a database behind it, for a role.
    pub fn url_as(&self, role: &str, db: &str) -> String {
        url(&self.host(), self.port, role, db)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

/// Either kind of listener; connections of both are handled as `UnixStream`, whose calls are those of any socket.
enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Listener {
    fn bind(door: &Door) -> io::Result<Self> {
        let listener = match door {
            Door::Unix(path) => Self::Unix(UnixListener::bind(path)?),
            Door::Tcp(port) => Self::Tcp(TcpListener::bind(("127.0.0.1", *port))?),
        };
        match &listener {
            Self::Unix(unix) => unix.set_nonblocking(true)?,
            Self::Tcp(tcp) => tcp.set_nonblocking(true)?,
        }
        Ok(listener)
    }

    fn accept(&self) -> io::Result<UnixStream> {
        match self {
            Self::Unix(unix) => Ok(unix.accept()?.0),
            Self::Tcp(tcp) => {
                let stream = tcp.accept()?.0;
                stream.set_nodelay(true)?;
                Ok(UnixStream::from(OwnedFd::from(stream)))
            }
        }
    }
}

/// Accepts until the proxy closes; listens only while the mode lets clients in.
fn listen(shared: &Arc<Shared>, door: &Door, first: Listener) {
    let mut listener = Some(first);
    while !shared.closing.load(Ordering::Relaxed) {
        if shared.mode() == Mode::Cut {
            if listener.take().is_some() {
                unlink(door);
            }
        } else if listener.is_none() {
            listener = Listener::bind(door).ok(); // a port may be busy for an instant: tried again at the next tick
        }
        match listener.as_ref().map(Listener::accept) {
            Some(Ok(client)) => {
                shared.accepted.fetch_add(1, Ordering::Relaxed);
                let shared = Arc::clone(shared);
                thread::spawn(move || connect(&shared, client));
            }
            Some(Err(e)) if e.kind() != ErrorKind::WouldBlock => eprintln!("the proxy cannot accept: {e}"),
            _ => thread::sleep(TICK / 5),
        }
    }
    unlink(door);
}

fn unlink(door: &Door) {
    if let Door::Unix(path) = door {
        let _ = fs::remove_file(path as &Path);
    }
}

/// Waits until the network passes bytes, then connects to the server and pumps both ways.
fn connect(shared: &Arc<Shared>, client: UnixStream) {
    while shared.mode() == Mode::Swallow {
        thread::sleep(TICK);
    }
    if shared.mode() == Mode::Cut {
        return;
    }
    // A server that is not there: the client sees its connection end, as with any proxy.
    let target = shared.target.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let Ok(server) = UnixStream::connect(target) else {
        return;
    };
    let (Ok(from_client), Ok(to_client)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    thread::spawn({
        let shared = Arc::clone(shared);
        move || pump(&shared, to_client, client)
    });
    pump(shared, from_client, server);
}

/// Passes bytes one way until an end is reached, which is then passed on too.
fn pump(shared: &Shared, mut from: UnixStream, mut to: UnixStream) {
    let mut buffer = vec![0; 64 * 1024];
    // Nonblocking is inherited from the listener on some systems.
    let ready = from.set_nonblocking(false).and_then(|()| from.set_read_timeout(Some(TICK)));
    ready.expect("a socket takes a timeout");
    loop {
        match shared.mode() {
            Mode::Cut => {
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
            Mode::Swallow => {
                thread::sleep(TICK);
                continue;
            }
            Mode::Pass | Mode::Delay(_) | Mode::Truncate(_) => {}
        }
        let bytes = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(bytes) => bytes,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                continue;
            }
            Err(_) => break,
        };
        // The mode may have changed while the read waited.
        loop {
            match shared.mode() {
                Mode::Swallow => thread::sleep(TICK),
                Mode::Delay(by) => {
                    thread::sleep(by);
                    break;
                }
                Mode::Pass | Mode::Cut | Mode::Truncate(_) => break,
            }
        }
        if shared.mode() == Mode::Cut {
            continue;
        }
        let pass = if matches!(shared.mode(), Mode::Truncate(_)) { shared.take(bytes) } else { bytes };
        if to.write_all(&buffer[..pass]).is_err() {
            break;
        }
        if pass < bytes {
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}
