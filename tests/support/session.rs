//! One `psql` of a window, fed through a pipe and understood by two marks that a script prints: `@side PORT` when its
//! work is done and about to be committed, and `@done ERROR` when the commit was answered.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::client::Outcome;
use super::place::Place;
use super::server;

/// One `psql`, kept open as long as its connection.
pub struct Session {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Line>,
}

enum Line {
    Out(String),
    Err(String),
    EndOfOut,
    EndOfErr,
}

/// What one transaction came to.
pub struct Answer {
    pub outcome: Outcome,
    pub port: Option<u16>,
    pub output: Vec<String>,
    pub stderr: String,
    /// Whether the session can take another transaction.
    pub goes_on: bool,
}

impl Session {
    /// Starts it; it connects by itself.
    pub fn open(conninfo: &str, client: usize, wrap: bool) -> Self {
        let mut command = Command::new(server::bin("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", &format!("client={client}"), "-v"]);
        // In a wrapped transaction the session survives an error, as that of a HIS client does.
        command.arg(format!("ON_ERROR_STOP={}", i32::from(!wrap))).args(["-d", conninfo, "-f", "-"]);
        command.env("LC_ALL", "C.UTF-8").current_dir(Place::common());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("psql can be started");
        let (sender, lines) = mpsc::channel();
        read(child.stdout.take().expect("piped"), sender.clone(), Line::Out, Line::EndOfOut);
        read(child.stderr.take().expect("piped"), sender, Line::Err, Line::EndOfErr);
        Self { stdin: child.stdin.take(), child, lines }
    }

    /// Runs the script of one transaction, which ends with its marks; the last one ends the session.
    pub fn transact(&mut self, script: &str, last: bool, limit: Duration) -> Answer {
        let mut answer =
            Answer { outcome: Outcome::Failed, port: None, output: Vec::new(), stderr: String::new(), goes_on: false };
        // A broken pipe shows as the end of its output below.
        let _ = self.stdin.as_mut().map(|stdin| stdin.write_all(script.as_bytes()));
        if last {
            self.stdin = None;
        }
        let began = Instant::now();
        let (mut done, mut ends) = (None, 0);
        while ends < 2 && (last || done.is_none()) {
            match self.lines.recv_timeout(limit.saturating_sub(began.elapsed())) {
                Ok(Line::Out(line)) => match (line.strip_prefix("@side "), line.strip_prefix("@done ")) {
                    (Some(port), _) => answer.port = port.parse().ok(),
                    (_, Some(error)) => done = Some(error == "false"),
                    _ => answer.output.push(line),
                },
                Ok(Line::Err(line)) => answer.stderr += &(line + "\n"),
                Ok(Line::EndOfOut | Line::EndOfErr) => ends += 1,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    answer.outcome = Outcome::Stuck;
                    return answer;
                }
            }
        }
        answer.outcome = match (done, answer.port) {
            (Some(true), Some(_)) => Outcome::Committed,
            (Some(_), _) | (None, None) => Outcome::Failed,
            // Exit code 3 is an error in a script, of which nothing was committed; any other is a lost connection.
            (None, Some(_)) if self.child.wait().is_ok_and(|status| status.code() == Some(3)) => Outcome::Failed,
            (None, Some(_)) => Outcome::Unknown,
        };
        answer.goes_on = !last && done.is_some();
        // Errors come through another pipe: those of this transaction were written before its mark.
        while let Ok(line) = self.lines.recv_timeout(Duration::from_millis(if done == Some(true) { 0 } else { 5 })) {
            if let Line::Err(line) = line {
                answer.stderr += &(line + "\n");
            }
        }
        answer
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(from: impl Read + Send + 'static, to: Sender<Line>, line: fn(String) -> Line, end: Line) {
    thread::spawn(move || {
        let mut lines = BufReader::new(from).lines();
        while let Some(Ok(text)) = lines.next() {
            if to.send(line(text)).is_err() {
                return;
            }
        }
        let _ = to.send(end);
    });
}
