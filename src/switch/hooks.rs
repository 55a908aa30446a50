//! The profile's own executables, run after each move: rewrite a PgBouncer, page the on-call, light a lamp.

use crate::cli::Site;
use crate::error::Result;
use crate::store::{Event, Mode};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

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
    let mut command = Command::new(hook);
    command
        .env("HIS_MOVE", moved.to)
        .env("HIS_MODE", moved.mode.to_string())
        .env("HIS_EVENT", &event.id)
        .env("HIS_REASON", &event.reason)
        .env("HIS_LEVEL", event.level.map(|l| l.to_string()).unwrap_or_default())
        .env("HIS_DATA_UNTIL", event.data_until.map(|t| t.to_rfc3339()).unwrap_or_default());
    crate::hook::run(&mut command, None)
}
