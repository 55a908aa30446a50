//! A standby that is open, in a database that has its rows already.

use crate::support::workplace::DB;
use crate::support::{Cluster, Workplace};
use his_emergency::catalog::Catalog;
use his_emergency::profile::Profile;
use his_emergency::standby;
use his_emergency::store::{Event, Mode, State, Store};

/// Puts gate and capture on the standby's database and opens it under event `01-0001`.
pub fn open(standby: &Cluster, work: &Workplace) {
    let profile = profile(work);
    let mut client = standby.client(DB);
    let catalog = Catalog::read(&mut client).expect("the catalog can be read");
    standby::control(&mut client).expect("control objects");
    standby::record(&mut client, 1, "01", None, true).expect("the generation is recorded");
    standby::install(&mut client, &catalog, &profile).expect("gate and capture");
    standby::guard(&mut client).expect("the guard against DDL");
    standby::open(&mut client, 1).expect("the gate opens");
    let event = Event {
        id: "01-0001".to_owned(),
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
    State::update(&Store::open(&profile).expect("the store can be made"), |state| {
        state.mode = Mode::Standby;
        state.epoch = 1;
        state.event = Some(event);
    })
    .expect("the state can be written");
}

/// The windows are back on the primary.
pub fn end(work: &Workplace) {
    let store = Store::open(&profile(work)).expect("the store is there");
    State::update(&store, |state| state.mode = Mode::Normal).expect("the state can be written");
}

fn profile(work: &Workplace) -> Profile {
    Profile::read(work.config().as_ref()).expect("the profile of the test is right")
}
