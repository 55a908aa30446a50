//! What a run would do, for a dry run: nothing is written in the store, and on the primary it is as light as the beginning of a
//! snapshot.

use super::delta::Parent;
use super::leader::Leader;
use super::plan::Planned;
use super::watch::{Watch, Watched};
use super::{PROGRAM, list, schema, take};
use crate::cli::Site;
use crate::db::Server;
use crate::error::{Cannot, Result};
use crate::formats::snapshot::Kind;
use crate::profile::Profile;
use crate::seal::Seal;
use std::path::PathBuf;

/// What a run would do.
#[derive(Debug, Clone)]
pub struct Plan {
    pub kind: Kind,
    /// The snapshot that a delta would stand on.
    pub parent: Option<String>,
    /// Why it would be a full one.
    pub why: Option<String>,
    pub tables: Vec<Download>,
}

/// A table that would be downloaded.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Download {
    pub table: String,
    /// By the planner's statistics.
    pub estimated_rows: i64,
    pub columns: Vec<String>,
    #[serde(rename = "where")]
    pub filter: Option<String>,
}

/// Says what [`super::take()`] would do now; `full` as there.
pub fn plan(site: &Site, full: bool) -> Result<Plan> {
    let server = site.profile.download()?.named(PROGRAM).pinned()?;
    let newest = list::ids(&site.store)?.pop();
    let why = if full {
        Some("--full asks for it")
    } else if site.store.state()?.full_wanted {
        Some("the last delta did not prove itself")
    } else if site.profile.store.full_every.is_zero() {
        Some("the profile asks for no deltas")
    } else if newest.is_none() {
        Some("it is the first one")
    } else {
        None
    };
    let watch = Watch::begin(&server)?;
    let look = Look {
        profile: site.profile.clone(),
        seal: site.store.seal().clone(),
        server,
        watched: watch.watched(),
        snapshots: site.store.snapshots(),
        newest: newest.unwrap_or_default(),
        why: why.map(str::to_owned),
    };
    take::supervise(&watch, &site.profile, move || look.plan())
}

/// All that the looking thread needs.
struct Look {
    profile: Profile,
    seal: Seal,
    server: Server,
    watched: Watched,
    snapshots: PathBuf,
    newest: String,
    why: Option<String>,
}

impl Look {
    fn plan(self) -> Result<Plan> {
        let leader = Leader::begin(&self.profile, &self.server, &self.watched)?;
        let stand = match &self.why {
            Some(why) => Err(why.clone()),
            None => Parent::of(&leader, &self.profile, &self.snapshots, &self.newest, &self.seal),
        };
        let stand = match stand {
            Ok(parent) if !self.same_schema(&leader, &parent)? => Err("the schema has changed".to_owned()),
            stand => stand,
        };
        let download = |p: &Planned| Download {
            table: p.described.name.to_string(),
            estimated_rows: p.estimated_rows,
            columns: p.columns.clone(),
            filter: p.filter.clone(),
        };
        let tables = leader.planned.iter().map(download).collect();
        leader.finish()?;
        Ok(match stand {
            Ok(parent) => Plan { kind: Kind::Delta, parent: Some(parent.snapshot.id), why: None, tables },
            Err(why) => Plan { kind: Kind::Full, parent: None, why: Some(why), tables },
        })
    }

    fn same_schema(&self, leader: &Leader, parent: &Parent) -> Result<bool> {
        schema::require_version(leader.primary.server_version)?;
        let place = tempfile::tempdir().cannot("make a place for the schema")?;
        let file = place.path().join("schema.dump");
        schema::dump(&self.server, self.watched.dump_name(), &leader.exported, &file)?;
        Ok(parent.snapshot.manifest.schema_sha256 == Some(schema::sha256(&file)?))
    }
}
