//! psqlODBC, which is libpq beneath, through unixODBC.

use super::psycopg::python;
use super::{Driver, saw_what_is_written_down};

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
