//! A streaming replica of a server, which can be promoted.

use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use super::workplace::DB;
use super::{Cluster, Place, Program, server, sql, wait_until};

/// A streaming replica of a server.
pub struct Replica {
    place: Place,
    child: Child,
}

impl Replica {
    pub const PORT: u16 = 54_324;

    pub fn of(cluster: &Cluster) -> Replica {
        let place = Place::new("replica");
        let (data, socket) = (place.path().join("data"), place.path().join("s"));
        server::hand_over(place.path());
        fs::create_dir(&socket).unwrap();
        server::hand_over(&socket);
        let mut copy = server::as_server(cluster.kind().name(), "pg_basebackup");
        copy.args(["-R", "-X", "stream", "-c", "fast", "-U", "postgres", "-p", &cluster.port().to_string()]);
        copy.arg("-h").arg(cluster.socket_dir()).arg("-D").arg(&data).current_dir(place.path());
        assert!(copy.status().unwrap().success());
        let mut command = server::as_server(cluster.kind().name(), "postgres");
        command.arg("-D").arg(&data).current_dir(place.path());
        command.args(["-c", &format!("port={}", Self::PORT)]);
        command.arg("-c").arg(format!("unix_socket_directories={}", socket.display()));
        let log = fs::File::create(place.path().join("log")).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let replica = Replica { child: server::spawn(command).unwrap(), place };
        wait_until("the replica answers", Duration::from_secs(60), || replica.try_value("SELECT 1").is_some());
        replica
    }

    pub fn socket_dir(&self) -> PathBuf {
        self.place.path().join("s")
    }

    /// What a proxy leads to.
    pub fn socket(&self) -> PathBuf {
        self.socket_dir().join(format!(".s.PGSQL.{}", Self::PORT))
    }

    pub fn url(&self) -> String {
        sql::url(&self.socket_dir().display().to_string(), Self::PORT, "postgres", DB)
    }

    /// Waits until it has replayed all that its primary has written by now.
    pub fn catch_up(&self, primary: &Cluster) {
        let written = primary.value(DB, "SELECT pg_current_wal_flush_lsn()");
        let there = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
        wait_until("the replica has caught up", Duration::from_secs(60), || self.value(&there) == "t");
    }

    /// Changes a setting.
    pub fn set(&self, name: &str, value: &str) {
        self.value(&format!("ALTER SYSTEM SET {name} = '{value}'"));
        self.value("SELECT pg_reload_conf()");
    }

    /// Makes a primary of it.
    pub fn promote(&self) {
        assert_eq!(self.value("SELECT pg_promote()"), "t");
    }

    #[track_caller]
    pub fn value(&self, sql: &str) -> String {
        Program::psql(&self.url()).args(["-c", sql]).run().expect(0).stdout.trim().to_owned()
    }

    pub fn try_value(&self, sql: &str) -> Option<String> {
        let ran = Program::psql(&self.url()).args(["-c", sql]).run();
        (ran.code == 0).then(|| ran.stdout.trim().to_owned())
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
