//! What runs out: emergency number blocks, and whatever the hospital's own `[[check]]` asks for.

use super::{LIMIT, Measure, PROGRAM, Sheet, State, Unit};
use crate::catalog::Name;
use crate::cli::Site;
use crate::db::{self, Server, Side};
use crate::error::{Cannot, Error, Result};
use crate::profile::{Check, Numbers};
use crate::standby::{self, Gate, Generation};
use std::collections::BTreeMap;

pub(super) const NAMES: &[&str] = &["numbers"];

pub(super) fn look(site: &Site, sheet: &mut Sheet) -> Result<()> {
    let used = used(site)?;
    let (mut findings, mut measures, mut shown) = (Vec::new(), Vec::new(), Vec::new());
    for block in &site.profile.numbers {
        let Numbers::Block { sequence, first, last } = block else { continue };
        let whole = (last - first + 1) as f64;
        let left = (last - used.get(sequence).copied().unwrap_or(first - 1)).max(0);
        #[allow(clippy::cast_precision_loss, reason = "a percentage")]
        let least = whole * site.profile.watch.numbers as f64 / 100.0;
        let measure = Measure::new("numbers_left", Unit::Count, left as f64)
            .below(Some(least), Some(least / 20.0))
            .of("sequence", sequence.to_string());
        let text = format!("{sequence}: {left} of {whole} left");
        shown.push(left);
        findings.push((measure.state(), text));
        measures.push(measure);
    }
    let fine = match shown.iter().min() {
        None => "the profile has no number blocks".to_owned(),
        Some(least) => format!("{} blocks, at least {least} numbers left in each", shown.len()),
    };
    sheet
        .add_all("numbers", &findings, fine)
        .needed()
        .measures(measures)
        .hint("give the sequence a new block in [[numbers]] of the profile, take a snapshot and load it.");
    Ok(())
}

/// The highest number that was handed out of each block, by the store and by the generations.
fn used(site: &Site) -> Result<BTreeMap<Name, i64>> {
    let server = site.profile.standby()?.named(PROGRAM);
    let mut used = standby::numbers::seen_by_the_store(site)?;
    for generation in Generation::all(&server)? {
        let mut client = server.connect_to(&generation.database)?;
        for (sequence, number) in standby::numbers::seen_by(site, &mut client)? {
            let highest = used.entry(sequence).or_insert(number);
            *highest = (*highest).max(number);
        }
    }
    Ok(used)
}

/// The hospital's own questions: rows of a name and a number that should not be below the limits.
pub(super) fn own_checks(site: &Site, sheet: &mut Sheet, on_primary: bool, on_standby: bool) {
    for check in &site.profile.checks {
        let answers = if check.on == Side::Primary { on_primary } else { on_standby };
        if !answers {
            sheet.add(check.name.clone(), State::Unknown, format!("the {} does not answer", check.on));
            continue;
        }
        match ask(site, check) {
            Err(e) => {
                sheet.add(check.name.clone(), State::Unknown, e.to_string()).hint(e.hint_text());
            }
            Ok(rows) => tell(sheet, check, &rows),
        }
    }
}

fn ask(site: &Site, check: &Check) -> Result<Vec<(String, f64)>> {
    let doing = format!("make the check '{}'", check.name);
    let query = std::fs::read_to_string(&check.sql).cannot(format!("read '{}'", check.sql.display()))?;
    let server: Server = if check.on == Side::Primary { site.profile.primary()? } else { site.profile.standby()? };
    let server = server.named(PROGRAM);
    // The hospital's own query runs as a client of the HIS finds the database, and may not write.
    let asked = {
        let (server, doing) = (server.unset(), doing.clone());
        db::within(LIMIT, move || -> Result<Vec<(String, f64)>> {
            let mut client = server.connect_to(&database(&server)?)?;
            let mut tx = client.build_transaction().read_only(true).start().cannot(doing.clone())?;
            let rows = tx.query(&query, &[]).cannot(doing.clone())?;
            rows.iter()
                .map(|row| {
                    let name: String = row.try_get(0).cannot(doing.clone())?;
                    let number: i64 = row.try_get(1).cannot(doing.clone())?;
                    Ok((name, number as f64))
                })
                .collect()
        })
    };
    asked
        .unwrap_or_else(|| Err(Error::unreachable(doing, format!("no answer within {} s", LIMIT.as_secs()))))
        .map_err(|e| e.hint("the query of a [[check]] gives two columns: a name (text) and a number (bigint)."))
}

/// Where a side is asked: on the standby in what is open, or would be opened next, because its name leads to an empty database
/// until then.
fn database(server: &Server) -> Result<String> {
    if server.side == Side::Primary {
        return Ok(server.database().to_owned());
    }
    let all = Generation::all(server)?;
    let open = all.iter().find(|g| g.gate == Gate::Open);
    let asked = open.or(Generation::newest(&all));
    Ok(asked.map_or_else(|| server.database().to_owned(), |g| g.database.clone()))
}

fn tell(sheet: &mut Sheet, check: &Check, rows: &[(String, f64)]) {
    let limit = |n: i64| (n != i64::MIN).then_some(n as f64);
    let measures: Vec<Measure> = rows
        .iter()
        .map(|(name, value)| {
            let measure = Measure::new("site_check", Unit::Count, *value);
            measure.below(limit(check.warn), limit(check.critical)).of("of", format!("{} {name}", check.name))
        })
        .collect();
    let findings: Vec<(State, String)> =
        rows.iter().zip(&measures).map(|((name, value), m)| (m.state(), format!("{name}: {value}"))).collect();
    let least = rows.iter().map(|(_, v)| *v).min_by(f64::total_cmp);
    let fine = least.map_or("nothing to look at".to_owned(), |v| format!("{} looked at, the least is {v}", rows.len()));
    let line = if findings.iter().filter(|(s, _)| *s != State::Ok).count() > 4 {
        let worst = findings.iter().map(|(s, _)| *s).max().unwrap_or(State::Ok);
        let few = findings.iter().filter(|(s, _)| *s != State::Ok).map(|(_, t)| t.as_str());
        let all = few.clone().count();
        let text = format!("{} and {} more", few.take(3).collect::<Vec<_>>().join("; "), all - 3);
        sheet.add(check.name.clone(), worst, text)
    } else {
        let worst = findings.iter().map(|(s, _)| *s).max().unwrap_or(State::Ok);
        let bad: Vec<&str> = findings.iter().filter(|(s, _)| *s != State::Ok).map(|(_, t)| t.as_str()).collect();
        sheet.add(check.name.clone(), worst, if bad.is_empty() { fine } else { bad.join("; ") })
    };
    line.needed().measures(measures);
}
