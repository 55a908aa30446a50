//! Versions of the server: `make matrix` runs the rest of the tests on each; here is what is the same on none.

use super::{Campus, SCHEMA};
use crate::support::workplace::DB;
use crate::support::{Cluster, Kind, aloud};

#[test]
fn a_server_older_than_postgresql_14_is_refused_by_its_name() {
    let primary = Cluster::start(Kind::Primary);
    let version: u32 = primary.value("postgres", "SHOW server_version_num").parse().expect("a number");
    if version >= 140_000 {
        aloud("SKIPPED: a server older than PostgreSQL 14 is not there (make matrix brings one, where npm is)");
        return;
    }
    primary.create_database(DB);
    primary.execute(DB, SCHEMA);
    let campus = Campus::new(&primary, Kind::Standby, "01", 900_000);
    for args in [&[][..], &["check"]] {
        let refused = campus.work.run("his-snapshot", args).expect(4);
        let refused = refused.says("the server is older than PostgreSQL 14");
        assert!(refused.hint().contains("upgrade that server"), "{}", refused.hint());
    }
}
