//! Does a server answer? Slow, hung and dead are told apart by two signals that do not depend on each other: a session
//! with a query in it, and a bare connection to the port, which the postmaster answers without looking into any database.

use crate::db::{SSL_REQUEST, Server, within};
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A session and a query that take longer are no answer: the windows wait 2 s for a connection.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// Between the first failure and the second try.
const PAUSE: Duration = Duration::from_millis(700);

/// How a server answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A query in a new session, in so many seconds.
    Query(f64),
    /// It takes connections and says nothing: stopped, frozen, or its disk stands still.
    Hung,
    /// It is there and lets nobody in: why.
    Refuses(String),
    /// Both signals say that nothing is there: why.
    Dead(String),
    /// The signals contradict each other: why.
    Unsure(String),
}

impl Answer {
    /// How long the query took; `None` when there was no answer.
    #[must_use]
    pub fn seconds(&self) -> Option<f64> {
        match self {
            Answer::Query(seconds) => Some(*seconds),
            _ => None,
        }
    }
}

/// What the bare port said.
#[derive(Debug, Clone, PartialEq)]
enum Port {
    /// The postmaster answered.
    Answers,
    /// Connected, and not a byte came.
    Silent,
    Closed(String),
}

/// Asks a server both ways, and a second time before it says anything bad.
#[must_use]
pub fn probe(server: &Server) -> Answer {
    let first = query(server);
    let Err(_) = first else { return judge(&first, &Port::Answers) };
    std::thread::sleep(PAUSE);
    let (port, second) = std::thread::scope(|scope| {
        let port = scope.spawn(|| port(server));
        (port.join().unwrap_or(Port::Silent), query(server))
    });
    judge(&second, &port)
}

fn judge(query: &Result<f64, String>, port: &Port) -> Answer {
    match (query, port) {
        (Ok(seconds), _) => Answer::Query(*seconds),
        (Err(_), Port::Silent) => Answer::Hung,
        (Err(reason), Port::Answers) => Answer::Refuses(reason.clone()),
        (Err(reason), Port::Closed(why)) if reason.contains("no answer") && why.contains("refused") => {
            Answer::Unsure(format!("a session: {reason}; its port: {why}"))
        }
        (Err(_), Port::Closed(why)) => Answer::Dead(why.clone()),
    }
}

/// A new session, a query, and how long that took; or why not.
fn query(server: &Server) -> Result<f64, String> {
    let (server, began) = (server.clone(), Instant::now());
    let asked = within(PATIENCE, move || {
        let mut client = server.connect_within(server.database(), PATIENCE).map_err(|e| e.reason())?;
        client.simple_query("SELECT 1").map_err(|e| crate::db::reason::of(&e).1)?;
        Ok(())
    });
    match asked {
        None => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        Some(Err(reason)) => Err(reason),
        Some(Ok(())) => Ok(began.elapsed().as_secs_f64()),
    }
}

/// Of several hosts, one that answers is enough.
fn port(server: &Server) -> Port {
    let mut last = Port::Closed("it names no host".to_owned());
    for host in server.each() {
        last = port_of(&host);
        if matches!(last, Port::Answers) {
            break;
        }
    }
    last
}

/// Asks the postmaster for TLS (SSLRequest of the protocol): any byte is an answer, whatever it says.
fn port_of(server: &Server) -> Port {
    let (host, number) = (server.host(), server.port());
    let asked = within(PATIENCE, move || -> std::io::Result<bool> {
        let answers = |read: std::io::Result<usize>| match read {
            Ok(bytes) => Ok(bytes > 0),
            Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => Ok(false),
            Err(e) => Err(e),
        };
        let mut byte = [0];
        if host.starts_with('/') {
            let mut stream = UnixStream::connect(format!("{host}/.s.PGSQL.{number}"))?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(&SSL_REQUEST)?;
            return answers(stream.read(&mut byte));
        }
        let mut last = std::io::Error::other("its name has no address");
        for address in (host.as_str(), number).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(mut stream) => {
                    stream.set_read_timeout(Some(PATIENCE))?;
                    stream.write_all(&SSL_REQUEST)?;
                    return answers(stream.read(&mut byte));
                }
                Err(e) => last = e,
            }
        }
        Err(last)
    });
    match asked {
        None | Some(Ok(false)) => Port::Silent,
        Some(Ok(true)) => Port::Answers,
        Some(Err(e)) => Port::Closed(e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_is_said_only_when_both_signals_say_so() {
        let (none, refused) = (|| Err("no answer within 3 s".to_owned()), || Err("connection refused".to_owned()));
        assert_eq!(judge(&Ok(0.1), &Port::Answers), Answer::Query(0.1));
        assert_eq!(judge(&none(), &Port::Silent), Answer::Hung);
        assert_eq!(judge(&refused(), &Port::Closed("refused".into())), Answer::Dead("refused".into()));
        assert_eq!(judge(&refused(), &Port::Answers), Answer::Refuses("connection refused".into()));
        assert!(matches!(judge(&none(), &Port::Closed("refused".into())), Answer::Unsure(_)));
    }
}
