//! The profile's own executables, run after each move: rewrite a PgBouncer, page the on-call, light a lamp.

use crate::cli::Site;
use crate::error::Result;
use crate::store::{Event, Mode};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A hook that takes longer is ended: the windows wait for nobody's mail server.
const LIMIT: Duration = Duration::from_secs(10);

/// What a hook is told.
#[derive(Debug, Clone, Copy)]
pub struct Moved<'a> {
    /// `standby`, `paper`, `primary` or `drill`.
    pub to: &'a str,
    pub mode: Mode,
    pub event: &'a Event,
}

/// Runs every hook in the order of the profile; gives those that failed, each already said and journalled.
pub fn run(site: &Site, moved: Moved<'_>) -> Result<Vec<String>> {
    let mut failed = Vec::new();
    for hook in &site.profile.endpoint.hooks {
        let started = Instant::now();
        let problem = one(hook, moved).err();
        let result = problem.as_deref().unwrap_or("done");
        let detail = json!({ "hook": hook, "move": moved.to, "seconds": started.elapsed().as_secs_f64() });
        site.store.journal().write(&site.by, "hook", Some(&moved.event.id), result, detail)?;
        if let Some(problem) = problem {
            let text = format!("hook '{}' {problem}", hook.display());
            site.talk.warn(&text);
            failed.push(text);
        }
    }
    Ok(failed)
}

fn one(hook: &Path, moved: Moved<'_>) -> Result<(), String> {
    let event = moved.event;
    let mut child = Command::new(hook)
        .env("HIS_MOVE", moved.to)
        .env("HIS_MODE", moved.mode.to_string())
        .env("HIS_EVENT", &event.id)
        .env("HIS_REASON", &event.reason)
        .env("HIS_LEVEL", event.level.map(|l| l.to_string()).unwrap_or_default())
        .env("HIS_DATA_UNTIL", event.data_until.map(|t| t.to_rfc3339()).unwrap_or_default())
        .stdin(Stdio::null())
        // Standard output is for our one result.
        .stdout(Stdio::from(std::io::stderr()))
        .process_group(0)
        .spawn()
        .map_err(|e| format!("cannot be run: {e}"))?;
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
