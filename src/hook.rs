//! Executables of the hospital's own: run with a limit, told by their environment and standard input, never waited for
//! longer than somebody at a window would.

use rustix::process::{Pid, Signal, kill_process_group};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A hook that takes longer is ended: the windows wait for nobody's mail server.
const LIMIT: Duration = Duration::from_secs(10);

/// Runs a hook to its end, with `input` on its standard input; says why it did not go well.
pub fn run(hook: &mut Command, input: Option<&str>) -> Result<(), String> {
    let mut child = hook
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        // Standard output is for our one result.
        .stdout(Stdio::from(std::io::stderr()))
        .process_group(0)
        .spawn()
        .map_err(|e| format!("cannot be run: {e}"))?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input.map(str::to_owned)) {
        // In a thread: one that does not read must not hold us up. That it closes early is its own business.
        std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    }
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("ended with {status}")),
            Ok(None) if started.elapsed() < LIMIT => std::thread::sleep(Duration::from_millis(10)),
            Ok(None) => {
                // With all that it started, or a sleeping grandchild would hold our standard error open.
                let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
                let _ = child.wait();
                return Err(format!("did not end within {} s and was ended", LIMIT.as_secs()));
            }
            Err(e) => return Err(format!("cannot be waited for: {e}")),
        }
    }
}
