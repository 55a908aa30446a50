//! The real programs, run as people run them: by their names, with the drill's profile, judged by exit code and JSON.

use crate::error::{Cannot, Error, Result};
use crate::store::program;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// How a program ended.
#[derive(Debug, Clone)]
pub struct Acted {
    pub code: i32,
    pub json: Value,
    pub seconds: f64,
}

/// Runs `name` with `--json`; any of `codes` is what was expected.
pub fn act(config: &Path, by: &str, name: &str, args: &[&str], codes: &[i32]) -> Result<Acted> {
    let doing = || format!("run '{name} {}' in the drill", args.join(" "));
    let began = Instant::now();
    let output = Command::new(beside(name)?)
        .args(args)
        .args(["--json", "-q", "--by", by])
        .env("HIS_CONFIG", config)
        .stdin(Stdio::null())
        .output()
        .cannot(doing())?;
    let seconds = (began.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
    let json: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    let code = output.status.code().unwrap_or(-1);
    log::info!("{name} {}: exit {code}, {seconds:.1} s", args.join(" "));
    if codes.contains(&code) {
        return Ok(Acted { code, json, seconds });
    }
    let reason =
        json["error"].as_str().map_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned(), str::to_owned);
    Err(Error::failed(doing(), format!("it ended with {code}: {}", reason.trim()))
        .hint("the drill found something: mend it as you would in an emergency, then hold the drill again."))
}

/// The program that was installed with this one.
fn beside(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().cannot(format!("find '{}'", program()))?;
    Ok(own.with_file_name(name))
}
