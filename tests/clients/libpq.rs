//! libpq, which is also beneath PHP, Perl, Ruby, Delphi's and Qt's drivers; and psql.

use super::department::Department;
use super::page::string_for;
use super::window::{command, source};
use super::{Driver, Start, saw_what_is_written_down};
use crate::support::{Place, Program};
use std::path::Path;

pub const LIBPQ: Driver = Driver {
    name: "libpq",
    slug: "libpq",
    has_pool: false,
    gives_up: false,
    prepare: |department| Ok(prepare(department)),
};

/// The place of what is compiled lives as long as the windows are started from it.
fn prepare(department: &Department) -> Start {
    let place = Place::new("libpq");
    let program = place.path().join("window");
    let source = source("window.c").display().to_string();
    let output = program.display().to_string();
    let include = Program::at(Path::new("pg_config")).args(["--includedir"]).run().expect(0);
    let include = format!("-I{}", include.stdout.trim());
    let compile = ["-Wall", "-Wextra", "-Werror", "-O1", &include, "-o", &output, &source, "-lpq"];
    Program::at(Path::new("cc")).args(compile).run().expect(0);
    let string = string_for(LIBPQ.name, &department.address, &department.standby, &department.primary);
    Box::new(move || {
        let mut command = command(&program, place.path());
        command.arg(&string);
        command
    })
}

#[test]
fn a_program_in_c_on_libpq_follows_the_windows_to_the_standby_and_back() {
    saw_what_is_written_down(&LIBPQ);
}
