//! A standby that is open without a snapshot and a load before it: for tests of export and merge alone.

use crate::support::workplace::DB;
use crate::support::{Cluster, Workplace};
use his_emergency::catalog::Catalog;
use his_emergency::profile::Profile;
use his_emergency::standby;
use his_emergency::store::{Event, Mode, State, Store};

/// Primary and standby with the same schema and rows, the standby open under event `01-0001`.
pub struct Opened {
    pub primary: Cluster,
    pub standby: Cluster,
    pub work: Workplace,
}

impl Opened {
    /// `schema` is run on both sides, `tables` is the part of the profile that names the tables.
    pub fn new(schema: &str, tables: &str) -> Opened {
        let (primary, standby) = Cluster::pair();
        for cluster in [&primary, &standby] {
            cluster.create_database(DB);
            cluster.execute(DB, schema);
        }
        Self::over(primary, standby, tables)
    }

    /// As [`Opened::new`], over two servers whose databases are filled already.
    pub fn over(primary: Cluster, standby: Cluster, tables: &str) -> Opened {
        let work = Workplace::new(&primary, &standby, tables);
        let profile = Profile::read(work.config().as_ref()).expect("the profile of the test is right");
        let store = Store::open(&profile).expect("the store can be made");
        let mut client = standby.client(DB);
        let catalog = Catalog::read(&mut client).expect("the catalog can be read");
        standby::control(&mut client).expect("control objects");
        standby::record(&mut client, 1, "01", None, true).expect("the generation is recorded");
        standby::install(&mut client, &catalog, &profile).expect("gate and capture");
        standby::guard(&mut client).expect("the guard against DDL");
        standby::open(&mut client, 1).expect("the gate opens");
        let event = Event {
            id: format!("{}-0001", profile.site.code),
            epoch: 1,
            drill: false,
            opened_at: chrono::Utc::now(),
            reason: "test".to_owned(),
            ordered_by: None,
            by: "test".to_owned(),
            level: None,
            both_live: false,
            generation: Some(1),
            snapshot: None,
            data_until: None,
            lost_after_batch: None,
            ended_at: None,
        };
        State::update(&store, |state| {
            state.mode = Mode::Standby;
            state.epoch = 1;
            state.event = Some(event);
        })
        .expect("the state can be written");
        Opened { primary, standby, work }
    }

    /// The next event on the same generation, as a reopening makes it; what the first left unmerged stays so.
    pub fn second_event(&self) {
        let profile = Profile::read(self.work.config().as_ref()).expect("the profile of the test is right");
        let store = Store::open(&profile).expect("the store can be made");
        self.standby.execute(DB, "SELECT setval('his_emergency.epoch', 2)");
        State::update(&store, |state| {
            state.epoch = 2;
            if let Some(event) = &mut state.event {
                (event.id, event.epoch) = (format!("{}-0002", profile.site.code), 2);
            }
        })
        .expect("the state can be written");
    }

    /// What a window does on the standby, one transaction for each element.
    pub fn window(&self, transactions: &[&str]) {
        for sql in transactions {
            self.standby.execute(DB, &format!("BEGIN; {sql}; COMMIT;"));
        }
    }

    /// What happens on the primary meanwhile.
    pub fn meanwhile(&self, sql: &str) {
        self.primary.execute(DB, sql);
    }

    /// Exports and merges; gives the merge's JSON, its exit code checked.
    pub fn merge(&self, code: i32) -> serde_json::Value {
        self.work.run("his-export-queue", &[]).expect(0);
        self.work.json(code, "his-merge", &["--early"])
    }

    /// `kind table` of every conflict, sorted.
    pub fn conflicts(&self) -> Vec<String> {
        let json = self.work.json(0, "his-merge", &["conflicts"]);
        let list = json["conflicts"].as_array().expect("a list of conflicts");
        let mut kinds: Vec<String> = list
            .iter()
            .map(|c| format!("{} {}", c["kind"].as_str().unwrap_or("?"), c["table"].as_str().unwrap_or("-")))
            .collect();
        kinds.sort();
        kinds
    }

    pub fn rows(&self, sql: &str) -> Vec<String> {
        self.primary.rows(DB, sql)
    }
}
