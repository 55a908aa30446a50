//! PostgreSQL's own programs (`pg_dump`, `pg_restore`, `psql`): where they are, and how they are run.

use super::Server;
use crate::error::{Cannot, Error, Exit, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Finds `name` on PATH, else in the newest `/usr/lib/postgresql/*/bin`.
pub fn find(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
    // Debian's wrapper in /usr/bin picks a cluster of its own choosing; the versioned binary is the plain one.
    let wrapper = |file: &Path| file.canonicalize().is_ok_and(|real| real.ends_with("pg_wrapper"));
    let newest = || {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
        let mut found: Vec<(u32, PathBuf)> = versions
            .flatten()
            .filter_map(|dir| Some((dir.file_name().to_str()?.parse().ok()?, dir.path().join("bin").join(name))))
            .filter(|(_, file)| file.is_file())
            .collect();
        found.sort();
        found.pop().map(|(_, file)| file)
    };
    let plain = on_path.clone().filter(|file| !wrapper(file));
    plain.or_else(newest).or(on_path).ok_or_else(|| {
        Error::failed(format!("find '{name}'"), "it is neither on PATH nor in /usr/lib/postgresql/*/bin")
            .hint("install the PostgreSQL client programs: apt-get install postgresql-client (elsewhere: the postgresql package), then run again.")
    })
}

/// Runs a program against `database` of `server`, its output captured. No password is on the command line.
///
/// When it fails because the server went away, the error is [`Exit::Unreachable`].
pub fn run(name: &str, server: &Server, database: &str, args: &[&str], doing: &str) -> Result<Vec<u8>> {
    run_with_input(name, server, database, args, None, doing)
}

/// As [`run`], with `input` as its standard input.
pub fn run_with_input(
    name: &str,
    server: &Server,
    database: &str,
    args: &[&str],
    input: Option<&Path>,
    doing: &str,
) -> Result<Vec<u8>> {
    let stdin = match input {
        Some(path) => Stdio::from(std::fs::File::open(path).cannot(format!("read '{}'", path.display()))?),
        None => Stdio::null(),
    };
    let output = Command::new(find(name)?)
        .args(args)
        .envs(server.libpq_environment(database))
        .stdin(stdin)
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .output()
        .cannot(format!("run '{name}'"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let talk = String::from_utf8_lossy(&output.stderr);
    log::debug!("{name}: {talk}");
    // A DETAIL or CONTEXT line may quote a row.
    let line = talk
        .lines()
        .find(|l| l.contains("error:") || l.contains("ERROR:") || l.contains("FATAL:"))
        .unwrap_or("no message");
    let line = line.chars().take(300).collect::<String>();
    let exit = if server.answers(database) { Exit::Failed } else { Exit::Unreachable };
    Err(Error::new(exit, doing, format!("{name} ended with {}: {line}", output.status)))
}
