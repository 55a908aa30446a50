//! psqlODBC, which is libpq beneath, through unixODBC.

use super::psycopg::python;
use super::{Driver, saw_what_is_written_down};
use crate::support::Program;
use std::path::Path;

pub const PSQLODBC: Driver = Driver {
    name: "psqlODBC",
    slug: "psqlodbc",
    has_pool: false,
    gives_up: false,
    prepare: |department| python(department, "psqlODBC", "window_odbc.py", None),
};

#[test]
fn psqlodbc_follows_the_windows_to_the_standby_and_back() {
    saw_what_is_written_down(&PSQLODBC);
}

/// Nobody listens at this address: what the driver says is where it went.
#[test]
fn psqlodbc_cuts_a_list_of_ports_after_nine_characters_which_is_why_the_page_has_them_in_pqopt() {
    let went = |string: &str| {
        let script =
            "import pyodbc, sys\ntry:\n pyodbc.connect(sys.argv[1])\nexcept pyodbc.Error as e:\n print(e.args[1])";
        let ran = Program::at(Path::new("/usr/bin/python3")).args(["-c", script, string]).run().expect(0);
        let words = ran.stdout.split(" port ").skip(1);
        words.map(|rest| rest.split(' ').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let start = "Driver={PostgreSQL Unicode};Database=his;Uid=his_app;";
    let own = "Servername=127.19.0.1,127.19.0.1;Port=54322,54321";
    assert_eq!(went(&format!("{start}{own}")), ["54322", "543"]);
    let short = "Servername=127.19.0.1,127.19.0.1;Port=5432,5432";
    assert_eq!(went(&format!("{start}{short}")), ["5432", "5432"]);
    let libpq = "pqopt={host=127.19.0.1,127.19.0.1 port=54322,54321}";
    assert_eq!(went(&format!("{start}{libpq}")), ["54322", "54321"]);
}
