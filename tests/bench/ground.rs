//! Two servers set up as for production, the reference HIS on one of them, and a place to work.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::support::workplace::DB;
use crate::support::{Cluster, Kind, Place, Program, Workplace, copy_sample_reports};

/// What a server of this size is given; the same for both.
const SETTINGS: [(&str, &str); 8] = [
    ("fsync", "on"),
    ("shared_buffers", "1GB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "15min"),
    ("maintenance_work_mem", "256MB"),
    ("max_locks_per_transaction", "256"),
    ("max_connections", "300"),
    ("wal_level", "logical"),
];

/// How long anything may take here.
pub const LIMIT: Duration = Duration::from_secs(3000);

pub struct Ground {
    pub primary: Cluster,
    pub standby: Cluster,
    pub work: Workplace,
    /// For what the others write.
    pub place: Place,
    pub patients: usize,
    pub rows: String,
}

impl Ground {
    pub fn new(patients: usize) -> Ground {
        let began = Instant::now();
        let primary = Cluster::start_with(Kind::Primary, &SETTINGS);
        let standby = Cluster::start_with(Kind::Standby, &SETTINGS);
        let samples = samples();
        primary.create_database(DB);
        primary.psql_file(DB, &samples.join("schema.sql")).expect(0);
        primary.psql_file(DB, &samples.join("roles.sql")).expect(0);
        let visits = patients / 27;
        let generate = format!(
            "\\set patients {patients}\n\\set visits {visits}\n\\i {}\n",
            samples.join("generate.sql").display()
        );
        Program::psql(&primary.url(DB)).stdin(&generate).limit(LIMIT).run().expect(0);
        Program::psql(&primary.url(DB)).stdin("VACUUM ANALYZE; CHECKPOINT").limit(LIMIT).run().expect(0);
        let profile = fs::read_to_string(samples.join("his.toml")).expect("the sample's profile");
        let mut work = Workplace::new(&primary, &standby, &profile[profile.find("[[table]]").expect("tables")..]);
        work.set("standby", "window_roles", "[\"his_app\"]");
        copy_sample_reports(work.path());
        let sum = "SELECT sum(n)::bigint FROM (SELECT (xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM %I.%I', schemaname, relname), false, true, '')))[1]::text::bigint AS n FROM pg_stat_user_tables) t";
        let rows = Program::psql(&primary.url(DB)).stdin(sum).limit(LIMIT).run().expect(0).stdout.trim().to_owned();
        eprintln!("{patients} patients, {rows} rows, in {:.0} s", began.elapsed().as_secs_f32());
        Ground { primary, standby, work, place: Place::new("peers"), patients, rows }
    }

    /// A file or folder of the others', not there yet.
    pub fn fresh(&self, name: &str) -> PathBuf {
        let path = self.place.path().join(name);
        let _ = fs::remove_dir_all(&path);
        path
    }

    /// Nothing of the last run is still on its way to the disk.
    pub fn settle(&self) {
        for side in [&self.primary, &self.standby] {
            Program::psql(&side.url("postgres")).stdin("CHECKPOINT").limit(LIMIT).run().expect(0);
        }
        let _ = std::process::Command::new("sync").status();
    }
}

pub fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/his")
}
