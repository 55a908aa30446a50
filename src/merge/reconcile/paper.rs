//! Paper slips of an event, on the same sheet: how many were keyed where, what they come to, and which numbers have not
//! ended. Slips that were keyed into the standby are in its units as well.

use crate::cli::Site;
use crate::db::Client;
use crate::error::{Cannot, Result};
use crate::paper::register::{Register, Target};
use crate::paper::{Number, status};
use rust_decimal::Decimal;
use serde::Serialize;

/// Slips of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Slips {
    pub kind: String,
    /// Keyed into the primary, into the standby, and filed as paper.
    pub primary: u64,
    pub standby: u64,
    pub filed: u64,
    /// Numbers handed out that are neither keyed nor void nor missing.
    pub outstanding: u64,
    /// What those on the primary come to, by column.
    pub money: Vec<(String, Decimal)>,
}

/// The paper of an event, and what does not agree between register and primary.
#[derive(Debug, Clone, Default)]
pub struct Paper {
    pub slips: Vec<Slips>,
    pub faults: Vec<String>,
}

/// Reads the register of the store, and the primary's own record of slips.
pub fn read(site: &Site, client: &mut Client, event: &str) -> Result<Paper> {
    let mut paper = Paper::default();
    if site.profile.slips.is_empty() {
        return Ok(paper);
    }
    let register = Register::read(site)?;
    let known = status::kinds(site, &register)?;
    for slip in &site.profile.slips {
        let series = register.series(&Number::new(&slip.prefix, &site.profile.site.code, 1).series);
        let mut of_kind = Slips { kind: slip.kind.clone(), ..Slips::default() };
        for (_, _, target, keyed_for) in series.keyed() {
            if keyed_for == Some(event) {
                *match target {
                    Target::Primary => &mut of_kind.primary,
                    Target::Standby => &mut of_kind.standby,
                    Target::File => &mut of_kind.filed,
                } += 1;
            }
        }
        of_kind.outstanding = known.iter().find(|k| k.kind == slip.kind).map_or(0, |k| k.count.outstanding);
        if of_kind.primary > 0 {
            on_the_primary(client, event, slip, &mut of_kind, &mut paper.faults)?;
        }
        if of_kind.primary + of_kind.standby + of_kind.filed + of_kind.outstanding > 0 {
            paper.slips.push(of_kind);
        }
    }
    Ok(paper)
}

fn on_the_primary(
    client: &mut Client,
    event: &str,
    slip: &crate::profile::Slip,
    of_kind: &mut Slips,
    faults: &mut Vec<String>,
) -> Result<()> {
    let doing = "count the paper slips on the primary";
    let there: bool = client.query_one(crate::sql!("paper/there.sql"), &[]).cannot(doing)?.get(0);
    let (mut kinds, mut fields) = (vec![slip.kind.clone()], vec![String::new()]);
    for column in slip.money() {
        kinds.push(slip.kind.clone());
        fields.push(column.field.clone());
    }
    let mut count = 0;
    if there {
        for row in client.query(crate::sql!("paper/keyed.sql"), &[&event, &kinds, &fields]).cannot(doing)? {
            count = u64::try_from(row.get::<_, i64>(2)).unwrap_or(0);
            let field: String = row.get(1);
            if !field.is_empty() {
                let sum: String = row.get(3);
                of_kind.money.push((field, sum.parse().unwrap_or_default()));
            }
        }
    }
    if count != of_kind.primary {
        faults.push(format!(
            "the register has {} slips '{}' keyed into the primary, which has {count}: it was put back to an earlier time, or another store keys into it",
            of_kind.primary, slip.kind
        ));
    }
    Ok(())
}
