//! An outpatient department whose two servers are reached over TCP, as drivers that know no Unix sockets need it.

use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

use crate::support::cluster::Kind;
use crate::support::workplace::DB;
use crate::support::{Cluster, Workplace};

/// Charges, and types of the database's own, whose numbers (OIDs) are others in every database.
const SCHEMA: &str = "
CREATE SCHEMA op;
CREATE TYPE op.pay AS ENUM ('cash', 'card');
CREATE TYPE op.part AS (item text, price numeric(12,4));
CREATE TABLE op.charge (id bigserial PRIMARY KEY, total numeric(12,4) NOT NULL, who text, pay op.pay NOT NULL DEFAULT 'cash');
GRANT USAGE ON SCHEMA op TO his_app; GRANT ALL ON ALL TABLES IN SCHEMA op TO his_app; GRANT ALL ON ALL SEQUENCES IN SCHEMA op TO his_app;
INSERT INTO op.charge (total, who) SELECT i, 'before' FROM generate_series(1, 20) i;";

const TABLES: &str = r#"
[[table]]
name = "op.charge"
capture = true
money = ["total"]
[[numbers]]
sequence = "op.charge_id_seq"
block = [900000, 999999]
"#;

pub struct Department {
    pub primary: Cluster,
    pub standby: Cluster,
    pub work: Workplace,
    /// The address of both; each has its own port.
    pub address: String,
}

impl Department {
    /// Set up, with a generation loaded.
    pub fn new() -> Self {
        let address = address();
        let start = |kind| {
            let listen = address.clone();
            thread::spawn(move || Cluster::start_with(kind, &[("listen_addresses", &listen)]))
        };
        let (primary, standby) = (start(Kind::Primary), start(Kind::Standby));
        let (primary, standby) = (primary.join().expect("it starts"), standby.join().expect("it starts"));
        primary.execute("postgres", "CREATE ROLE his_app LOGIN");
        primary.create_database(DB);
        primary.execute(DB, SCHEMA);
        let mut work = Workplace::new(&primary, &standby, TABLES);
        work.edit(|profile| {
            profile.set("standby", "window_roles", "[\"his_app\"]").set("site", "language", "\"en\"");
            profile.set("limits", "fence", "\"1s\"").set("limits", "drain", "\"1s\"");
        });
        work.run("his-load-standby", &["init"]).expect(0);
        let department = Self { primary, standby, work, address };
        department.load();
        department
    }

    /// A fresh snapshot, loaded.
    pub fn load(&self) {
        self.work.run("his-snapshot", &["-q"]).expect(0);
        self.work.run("his-load-standby", &["-q"]).expect(0);
    }

    /// The windows go to the standby.
    pub fn open(&self) {
        self.work.run("his-switch", &["standby", "--reason", "test", "-q"]).expect(0);
    }

    /// The windows come back, with everything that they did.
    pub fn come_back(&self) {
        let ended = self.work.json(0, "his-switch", &["primary"]);
        assert_eq!(ended["mode"], "normal", "{ended:#}");
        let status = self.work.json(0, "his-switch", &["status"]);
        assert_eq!(status["units"]["captured"], status["units"]["merged"], "{status:#}");
    }

    /// Whether windows are kept out of the primary.
    pub fn fenced(&self) -> bool {
        self.work.json(0, "his-switch", &["status"])["primary"]["fenced"] == true
    }
}

/// An address of the loopback of this process and this department alone: servers of one kind all have one port.
fn address() -> String {
    static NUMBER: AtomicU8 = AtomicU8::new(20);
    let process = std::process::id();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("127.{number}.{}.{}", process / 254 % 254 + 1, process % 254 + 1)
}
