//! pgJDBC, and HikariCP as its pool.

use super::department::Department;
use super::page::string_for;
use super::window::{command, source};
use super::{Driver, Start, saw_what_is_written_down};
use crate::support::{Place, Program};
use std::path::Path;

pub const PGJDBC: Driver = Driver {
    name: "pgJDBC",
    slug: "pgjdbc",
    has_pool: true,
    gives_up: true,
    prepare: |department| Ok(prepare(department)),
};

fn prepare(department: &Department) -> Start {
    let place = Place::new("jdbc");
    let jars = ["postgresql", "HikariCP", "slf4j-api", "slf4j-nop"].map(|jar| format!("/usr/share/java/{jar}.jar"));
    let path = format!("{}:{}", jars.join(":"), place.path().display());
    let (source, output) = (source("Window.java").display().to_string(), place.path().display().to_string());
    let compile = ["-proc:none", "-cp", &path, "-d", &output, &source];
    Program::at(Path::new("javac")).args(compile).run().expect(0);
    let string = string_for(PGJDBC.name, &department.address, &department.standby, &department.primary);
    Box::new(move || {
        let mut command = command(Path::new("java"), place.path());
        // It starts faster so, and two cores are shared with everything else.
        command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-cp", &path, "Window", &string]);
        command
    })
}

#[test]
fn pgjdbc_and_hikaricp_follow_the_windows_to_the_standby_and_back() {
    saw_what_is_written_down(&PGJDBC);
}
