//! What `his-incident` lists: the tasks, the notices, the incidents there were, the plan itself.

use super::show::{self, Seen};
use super::{log, sheets, timeline};
use crate::cli::{Outcome, Site};
use crate::clock;
use crate::error::{Cannot, Result};
use crate::plan::Plan;
use crate::store::{Mode, durable};
use serde_json::json;
use std::path::Path;

/// The tasks of the latest incident, with what became of each.
pub fn tasks(site: &Site, plan: &Plan) -> Result<Outcome> {
    let language = &site.profile.site.language;
    let all = log::all(site)?;
    let seen = Seen::of(site, plan, log::last(site, None)?, &all)?;
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    for t in &seen.tasks {
        let time = |at| clock::time_of_day(&site.profile.site, at, seen.now);
        let state = match (t.done, t.late(seen.now), t.due) {
            (Some(at), None, _) => format!("done {}", time(at)),
            (Some(at), Some(late), _) => format!("done {}, {} late", time(at), clock::length(late)),
            (None, Some(late), _) => format!("LATE {}", clock::length(late)),
            (None, None, Some(due)) => format!("by {}", time(due)),
            (None, None, None) => "open".to_owned(),
        };
        let role = plan.role(&t.task.role).map_or("", |r| r.name.of(language));
        table.add_row([t.task.phase.name(language), &t.task.id, role, t.task.text.of(language), &state]);
    }
    Ok(Outcome::new(show::json(plan, &seen), table.to_string()))
}

/// The notices that the plan has.
pub fn notices(site: &Site, plan: &Plan) -> Outcome {
    let language = site.profile.site.language.as_str();
    let line = |n: &crate::plan::Notice| {
        format!("{:<20} {}: {}", n.id, timeline::audience(n.to, language), n.title.of(language))
    };
    let list: Vec<_> = plan.notice.iter().map(|n| json!({ "notice": n.id, "to": n.to, "title": n.title })).collect();
    let text = plan.notice.iter().map(line).collect::<Vec<_>>().join("\n");
    Outcome::new(json!({ "notices": list }), text)
}

/// Every incident there was.
pub fn list(site: &Site, plan: &Plan) -> Result<Outcome> {
    let language = &site.profile.site.language;
    let (mut lines, mut found) = (Vec::new(), Vec::new());
    for incident in log::all(site)? {
        let cause = incident.cause().and_then(|c| plan.cause(c)).map_or("-", |c| c.name.of(language));
        let ended = incident.ended().map_or_else(|| "is on".to_owned(), |r| format!("ended {}", site.time(r.at)));
        lines.push(format!("{}  {}  {cause}, {ended}", incident.id, site.time(incident.began())));
        found.push(json!({
            "incident": incident.id, "began": incident.began(), "cause": incident.cause(), "level": incident.level(),
            "ended": incident.ended().map(|r| r.at),
        }));
    }
    let text = if lines.is_empty() { "there was never an incident".to_owned() } else { lines.join("\n") };
    Ok(Outcome::new(json!({ "incidents": found }), text))
}

/// Nothing was declared; or nothing yet, although the windows have moved.
pub fn quiet_times(site: &Site) -> Result<Outcome> {
    let state = site.store.state()?;
    let next = if state.mode == Mode::Normal {
        "nothing is on".to_owned()
    } else {
        format!(
            "the windows are in mode '{}' and no incident was declared: his-incident start --cause CAUSE",
            state.mode
        )
    };
    Ok(Outcome::new(json!({ "incident": null, "mode": state.mode, "next": next }), next))
}

/// The plan in short; `cards` also writes the cards of its posts there.
pub fn plan(site: &Site, plan: &Plan, cards: Option<&Path>) -> Result<Outcome> {
    let language = site.profile.site.language.as_str();
    if let Some(file) = cards {
        durable::replace(file, sheets::cards(site, plan)?.as_bytes()).cannot(format!("write '{}'", file.display()))?;
    }
    let mut lines = vec![format!("{}, reviewed on {} by {}", plan.name.of(language), plan.reviewed, plan.reviewed_by)];
    lines.extend(plan.level.iter().map(|l| {
        let decides = plan.role(&l.decides).map_or("", |r| r.name.of(language));
        format!("  {}  {} ({decides})", l.name.of(language), l.criteria.of(language))
    }));
    lines.push(format!(
        "{} groups, {} roles, {} tasks, {} supplies, {} notices, {} causes",
        plan.group.len(),
        plan.role.len(),
        plan.task.len(),
        plan.supply.len(),
        plan.notice.len(),
        plan.cause.len()
    ));
    let levels: Vec<_> =
        plan.level.iter().map(|l| json!({ "level": l.level, "name": l.name, "criteria": l.criteria })).collect();
    let json = json!({
        "reviewed": plan.reviewed, "levels": levels, "causes": plan.cause, "roles": plan.role.len(), "tasks": plan.task.len(),
        "cards": cards.map(|c| std::path::absolute(c).unwrap_or_else(|_| c.to_path_buf())),
    });
    Ok(Outcome::new(json, lines.join("\n")))
}
