//! What only people can keep up to date: the plan, its contacts, restore tests, drills.

use super::{Measure, Sheet, State};
use crate::cli::Site;
use crate::clock;
use crate::error::Result;
use crate::incident;
use crate::plan::Plan;
use crate::store::Act;
use chrono::{DateTime, NaiveDate, Utc};
use std::time::Duration;

pub(super) const NAMES: &[&str] = &["plan", "contacts", "supplies", "restore-test", "drill"];

pub(super) fn look(site: &Site, sheet: &mut Sheet) -> Result<()> {
    let (acts, _) = site.store.journal().read()?;
    let watch = &site.profile.watch;
    last(
        sheet,
        &acts,
        "restore-test",
        &["restore test"],
        watch.restore_test,
        "his-drill restores the oldest and the newest snapshot: his-drill run.",
    );
    last(
        sheet,
        &acts,
        "drill",
        &["exercise", "drill"],
        watch.drill,
        "his-drill run, on a quiet day, with the people of the plan.",
    );
    let plan = match Plan::of(site) {
        Ok(plan) => plan,
        Err(e) => {
            sheet.add("plan", State::Warning, e.to_string()).hint(e.hint_text());
            for name in ["contacts", "supplies"] {
                sheet.add(name, State::Unknown, "there is no plan to read them from");
            }
            return Ok(());
        }
    };
    let today = Utc::now().with_timezone(&clock::zone(&site.profile.site)).date_naive();
    let old = |date: NaiveDate| (today - date).to_std().is_ok_and(|age| age > watch.reviewed);
    let state = if old(plan.reviewed) { State::Warning } else { State::Ok };
    sheet
        .add("plan", state, format!("reviewed on {} by {}", plan.reviewed, plan.reviewed_by))
        .hint("read the plan together, change what is no longer so, and set `reviewed`.");
    contacts(sheet, &plan, &old);
    supplies(sheet, &plan, &acts, |at| old(at.with_timezone(&clock::zone(&site.profile.site)).date_naive()));
    Ok(())
}

/// Forms and devices: as many as the plan wants, and counted by somebody.
fn supplies(sheet: &mut Sheet, plan: &Plan, acts: &[Act], old: impl Fn(DateTime<Utc>) -> bool) {
    let counted = incident::counted(acts);
    let mut findings = Vec::new();
    for supply in &plan.supply {
        match counted.get(&supply.id) {
            None => findings.push((State::Warning, format!("{} was never counted", supply.id))),
            Some(c) if c.count < supply.least => {
                findings.push((State::Warning, format!("{}: {} (at least {})", supply.id, c.count, supply.least)));
            }
            Some(c) if old(c.at) => findings.push((State::Warning, format!("{} was not counted for long", supply.id))),
            Some(_) => {}
        }
    }
    sheet
        .add_all("supplies", &findings, format!("{} kinds, enough of each", plan.supply.len()))
        .hint("refill them, and say so: his-incident supplies --counted SUPPLY=COUNT.");
}

/// Names are in the plan for everybody to read; here only how many are old, and of which role.
fn contacts(sheet: &mut Sheet, plan: &Plan, old: &impl Fn(NaiveDate) -> bool) {
    let people = plan.role.iter().flat_map(|r| r.person.iter().map(move |p| (r.id.as_str(), p.checked)));
    let outside = plan.contact.iter().map(|c| (c.name.en.as_str(), c.checked));
    let all: Vec<(&str, NaiveDate)> = people.chain(outside).collect();
    let mut stale: Vec<&str> = all.iter().filter(|(_, checked)| old(*checked)).map(|(who, _)| *who).collect();
    stale.dedup();
    let alone = plan.level.iter().flat_map(|l| &l.calls).filter_map(|id| plan.role(id)).filter(|r| r.person.len() < 2);
    let mut alone: Vec<&str> = alone.map(|r| r.id.as_str()).collect();
    alone.sort_unstable();
    alone.dedup();
    let mut findings = Vec::new();
    if !stale.is_empty() {
        findings.push((State::Warning, format!("not confirmed for long: {}", stale.join(", "))));
    }
    if !alone.is_empty() {
        findings.push((State::Warning, format!("without a deputy: {}", alone.join(", "))));
    }
    sheet
        .add_all("contacts", &findings, format!("{} people, confirmed and with deputies", all.len()))
        .hint("call each number once, and set `checked` in the plan.");
}

/// When something was last done, by the journal.
fn last(sheet: &mut Sheet, acts: &[Act], name: &'static str, of: &[&str], limit: Duration, hint: &str) {
    let Some(act) = acts.iter().rev().find(|a| of.contains(&a.act.as_str()) && a.result == "done") else {
        sheet.add(name, State::Warning, "there was never one").hint(hint);
        return;
    };
    let age = Utc::now() - act.at;
    let metric = if name == "drill" { "drill_age_seconds" } else { "restore_test_age_seconds" };
    let measure = Measure::age(metric, age).above(Some(limit.as_secs_f64()), None);
    sheet.add(name, measure.state(), format!("{} ago", clock::length(age))).measures([measure]).hint(hint);
}
