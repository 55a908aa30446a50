//! node-postgres, which knows one host only: a hospital gives it a client that asks the hosts in turn, a sample of ours.

use super::department::Department;
use super::page::string_for;
use super::window::{command, source};
use super::{Driver, Start, saw_what_is_written_down};
use crate::support::{Place, Program};
use std::path::Path;
use std::sync::OnceLock;

/// What is installed, exactly: an answer that changes is to come from us.
const PACKAGE: &str = "pg@8.23.1";

pub const NODE_POSTGRES: Driver =
    Driver { name: "node-postgres", slug: "node-postgres", has_pool: true, gives_up: false, prepare };

/// The package, in a folder that lives as long as the process; or why it is not there.
fn installed() -> &'static Result<Place, String> {
    static INSTALLED: OnceLock<Result<Place, String>> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let place = Place::new("npm");
        std::fs::write(place.path().join("package.json"), "{}").expect("the place is new");
        let folder = place.path().display().to_string();
        let install = ["install", "--no-audit", "--no-fund", "--fetch-retries=0", "--prefix", &folder];
        let npm = Program::at(Path::new("npm")).args(install).args([PACKAGE]).dir(place.path());
        let ran = npm.env("npm_config_cache", place.path().join("cache")).run();
        if ran.code == 0 { Ok(place) } else { Err(format!("npm cannot install {PACKAGE}: {}", ran.stderr)) }
    })
}

fn prepare(department: &Department) -> Result<Start, String> {
    let folder = installed().as_ref().map_err(Clone::clone)?.path();
    let string = string_for(NODE_POSTGRES.name, &department.address, &department.standby, &department.primary);
    let program = source("window.js");
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/clients/standby-first.js");
    Ok(Box::new(move || {
        let mut command = command(Path::new("node"), folder);
        command.env("STANDBY_FIRST", &sample).arg(&program).arg(&string);
        command
    }))
}

#[test]
fn node_postgres_with_the_sample_client_follows_the_windows_to_the_standby_and_back() {
    saw_what_is_written_down(&NODE_POSTGRES);
}
