//! What is wrong with a plan beyond its grammar: names that lead nowhere, people who cannot be called.

use super::Plan;
use std::collections::BTreeSet;

/// Every mistake, a line each.
pub(super) fn mistakes(plan: &Plan) -> Vec<String> {
    let mut found = Vec::new();
    let mut ids = |what: &str, list: Vec<&str>| {
        let mut seen = BTreeSet::new();
        for id in list {
            let simple = !id.is_empty() && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
            if !simple {
                found.push(format!("{what} '{id}': an id is of small letters, digits and hyphens"));
            }
            if !seen.insert(id) {
                found.push(format!("{what} '{id}': named twice"));
            }
        }
    };
    ids("group", plan.group.iter().map(|g| g.id.as_str()).collect());
    ids("role", plan.role.iter().map(|r| r.id.as_str()).collect());
    ids("cause", plan.cause.iter().map(|c| c.id.as_str()).collect());
    ids("task", plan.task.iter().map(|t| t.id.as_str()).collect());
    ids("supply", plan.supply.iter().map(|s| s.id.as_str()).collect());
    ids("notice", plan.notice.iter().map(|n| n.id.as_str()).collect());

    let mut levels: Vec<u8> = plan.level.iter().map(|l| l.level).collect();
    levels.sort_unstable();
    if levels != (1..=u8::try_from(levels.len()).unwrap_or(0)).collect::<Vec<_>>() || !(2..=4).contains(&levels.len()) {
        found.push(format!("levels are {levels:?} (expected 1 to 3 or 1 to 4, each once; 1 is the highest)"));
    }
    let role = |id: &str| plan.role(id).is_some();
    for level in &plan.level {
        for id in level.calls.iter().chain([&level.decides]).filter(|id| !role(id)) {
            found.push(format!("level {}: there is no role '{id}'", level.level));
        }
    }
    for role in &plan.role {
        if !plan.group.iter().any(|g| g.id == role.group) {
            found.push(format!("role '{}': there is no group '{}'", role.id, role.group));
        }
        if plan.level.iter().any(|l| l.calls.contains(&role.id)) && role.person.is_empty() {
            found.push(format!("role '{}': is called, and has no person", role.id));
        }
    }
    for task in &plan.task {
        if !role(&task.role) {
            found.push(format!("task '{}': there is no role '{}'", task.id, task.role));
        }
        for level in task.levels.iter().filter(|l| !levels.contains(l)) {
            found.push(format!("task '{}': there is no level {level}", task.id));
        }
        for cause in task.causes.iter().filter(|c| plan.cause(c).is_none()) {
            found.push(format!("task '{}': there is no cause '{cause}'", task.id));
        }
    }
    for supply in plan.supply.iter().filter(|s| !role(&s.fetches)) {
        found.push(format!("supply '{}': there is no role '{}'", supply.id, supply.fetches));
    }
    found
}
