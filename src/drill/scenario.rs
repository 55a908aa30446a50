//! What goes wrong in a drill, and how it is mended.

use super::place::Place;
use crate::db::sql;
use crate::error::{Cannot, Error, Result};
use crate::profile::Profile;
use minijinja::context;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// The primary's server dies
    PrimaryDown,
    /// The primary takes connections and answers nothing
    Hung,
    /// The primary runs, and nobody reaches it
    Network,
    /// One building is cut off: some windows go on at the primary, the others at the standby
    Building,
    /// Most rows of the largest table are damaged, then the primary is cut off and rebuilt
    Attack,
    /// The standby dies too: paper
    StandbyToo,
}

impl Scenario {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Scenario::PrimaryDown => "primary-down",
            Scenario::Hung => "hung",
            Scenario::Network => "network",
            Scenario::Building => "building",
            Scenario::Attack => "attack",
            Scenario::StandbyToo => "standby-too",
        }
    }

    /// Makes it go wrong.
    pub fn strike(self, place: &Place, profile: &Profile) -> Result<()> {
        match self {
            Scenario::PrimaryDown => place.primary.kill(),
            Scenario::Hung => place.primary.freeze(),
            Scenario::Network => place.primary.cut_off(),
            Scenario::Building => Ok(()),
            Scenario::Attack => damage(place, profile),
            Scenario::StandbyToo => place.primary.kill().and_then(|()| place.standby.kill()),
        }
    }

    /// Mends what can be mended in place; a primary whose data was damaged is rebuilt by the run.
    pub fn mend(self, place: &Place) -> Result<()> {
        match self {
            Scenario::PrimaryDown | Scenario::Attack => place.primary.start(),
            Scenario::Hung => place.primary.thaw(),
            Scenario::Network => place.primary.reconnect(),
            Scenario::Building => Ok(()),
            Scenario::StandbyToo => place.standby.start().and_then(|()| place.primary.start()),
        }
    }
}

/// As ransomware does it: every second row of the table with the most rows is not what it was.
fn damage(place: &Place, profile: &Profile) -> Result<()> {
    let doing = "damage the drill's primary";
    let mut client = place.primary.server(profile)?.connect()?;
    let names: Vec<String> = profile.captured().map(|t| t.name.sql()).collect();
    let row = client.query_opt(crate::sql!("drill/largest.sql"), &[&names]).cannot(doing)?;
    let Some(row) = row else { return Err(Error::failed(doing, "the profile captures no table")) };
    let text = sql::render(crate::sql!("drill/damage.sql"), context! { table => row.get::<_, String>(0) })?;
    client.batch_execute(&text).cannot(doing)
}
