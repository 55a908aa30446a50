//! `[drill]`: what his-drill lets simulated windows do, and what counts as good.

use super::reader::Section;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Drill {
    /// SQL files that a simulated window runs in turn, with the psql variables `client_id` and `random_seed`.
    pub workload: Vec<PathBuf>,
    pub windows: usize,
    /// How long they work on the standby.
    pub seconds: u64,
    /// From the break until a window has committed on the standby.
    pub switch_within: Duration,
    /// How long the return may take.
    pub return_within: Duration,
    /// Where the private servers are made: on a local disk with room for two copies of the database.
    pub place: PathBuf,
}

pub(super) fn drill(mut s: Section, base: &Path) -> Drill {
    let whole = |s: &mut Section, key, default: u64| match s.whole(key) {
        None => default,
        Some(n) => u64::try_from(n).ok().filter(|n| *n > 0).unwrap_or_else(|| {
            s.bad(key, format!("is {n} (expected 1 or more)"));
            default
        }),
    };
    let drill = Drill {
        workload: s.texts("workload").unwrap_or_default().iter().map(|f| base.join(f)).collect(),
        windows: usize::try_from(whole(&mut s, "windows", 4)).unwrap_or(4),
        seconds: whole(&mut s, "seconds", 20),
        switch_within: s.duration("switch_within", Duration::from_secs(60)),
        return_within: s.duration("return_within", Duration::from_secs(600)),
        place: base.join(s.text("place").unwrap_or_else(|| "/var/tmp".to_owned())),
    };
    s.done();
    drill
}
