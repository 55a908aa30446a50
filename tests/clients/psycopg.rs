//! psycopg 3 with its pool, and psycopg 2.

use super::department::Department;
use super::page::string_for;
use super::window::{command, source};
use super::{Driver, Start, saw_what_is_written_down};
use crate::support::{Place, Program};
use std::path::Path;

const PYTHON: &str = "/usr/bin/python3";

/// What is installed, exactly: an answer that changes is to come from us.
const PACKAGES: [&str; 2] = ["psycopg==3.3.9", "psycopg_pool==3.3.3"];

pub const PSYCOPG_3: Driver = Driver {
    name: "psycopg 3",
    slug: "psycopg3",
    has_pool: true,
    gives_up: false,
    // Debian 12 has 3.1.7, which has one limit for all hosts together and so never comes to the second one.
    prepare: |department| python(department, "psycopg 3", "window_psycopg3.py", Some(&PACKAGES)),
};

pub const PSYCOPG_2: Driver = Driver {
    name: "psycopg 2",
    slug: "psycopg2",
    has_pool: true,
    gives_up: false,
    prepare: |department| python(department, "psycopg 2", "window_psycopg2.py", None),
};

/// A client program in Python, by the interpreter that Debian's packages of drivers are for; or with packages of PyPI,
/// which are installed for it alone.
pub fn python(department: &Department, driver: &str, file: &str, packages: Option<&[&str]>) -> Result<Start, String> {
    let string = string_for(driver, &department.address, &department.standby, &department.primary);
    let program = source(file);
    let place = Place::new("python");
    if let Some(packages) = packages {
        let into = place.path().display().to_string();
        let pip = ["-m", "pip", "install", "-q", "--no-cache-dir", "--no-compile", "--retries=0", "--target", &into];
        let ran = Program::at(Path::new(PYTHON)).args(pip).args(packages).run();
        if ran.code != 0 {
            return Err(format!("pip cannot install {packages:?}: {}", ran.stderr));
        }
    }
    Ok(Box::new(move || {
        let mut command = command(Path::new(PYTHON), place.path());
        // The folder of the sources is not ours to write compiled modules into.
        command.env("PYTHONPATH", place.path()).arg("-B").arg(&program).arg(&string);
        command
    }))
}

#[test]
fn psycopg_3_and_its_pool_follow_the_windows_to_the_standby_and_back() {
    saw_what_is_written_down(&PSYCOPG_3);
}

#[test]
fn psycopg_2_and_its_pool_follow_the_windows_to_the_standby_and_back() {
    saw_what_is_written_down(&PSYCOPG_2);
}
