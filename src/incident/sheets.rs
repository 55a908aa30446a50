//! What is printed of a plan before it is needed: the call list with supplies, and an A5 card for each post.

use super::templates;
use crate::cli::Site;
use crate::error::{Cannot, Result};
use crate::plan::{Phase, Plan, Role};
use minijinja::{Value, context};

/// The call list of all levels, of one, as a page.
pub fn calls(site: &Site, plan: &Plan, only: Option<u8>) -> Result<String> {
    let language = site.profile.site.language.as_str();
    let of = |role: &str| plan.role(role).map(|r| people(r, language)).unwrap_or_default();
    let levels: Vec<Value> = plan
        .level
        .iter()
        .filter(|l| only.is_none_or(|n| n == l.level))
        .map(|l| {
            let people: Vec<Value> = l.calls.iter().flat_map(|role| of(role)).collect();
            context! { name => l.name.of(language), criteria => l.criteria.of(language), people }
        })
        .collect();
    let contacts: Vec<Value> = plan
        .contact
        .iter()
        .map(|c| context! { name => c.name.of(language), person => &c.person, phone => &c.phone })
        .collect();
    let supplies: Vec<Value> = plan
        .supply
        .iter()
        .map(|s| {
            let fetches = plan.role(&s.fetches).map_or("", |r| r.name.of(language));
            context! { name => s.name.of(language), least => s.least, unit => s.unit.of(language), place => s.place.of(language), fetches }
        })
        .collect();
    render("calls.html", site, plan, context! { levels, contacts, supplies })
}

/// One card a post, A5.
pub fn cards(site: &Site, plan: &Plan) -> Result<String> {
    let language = site.profile.site.language.as_str();
    let cards: Vec<Value> = plan
        .role
        .iter()
        .filter(|r| r.card)
        .map(|role| {
            let phases: Vec<Value> = Phase::ALL
                .iter()
                .filter_map(|phase| {
                    let of = plan.task.iter().filter(|t| t.role == role.id && t.phase == *phase && t.causes.is_empty());
                    let tasks: Vec<Value> =
                        of.map(|t| context! { text => t.text.of(language), minutes => t.minutes }).collect();
                    (!tasks.is_empty()).then(|| context! { name => phase.name(language), tasks })
                })
                .collect();
            // Whom this post calls: whoever commands, and whoever decides about the databases.
            let called = ["commander", "deputy-commander", "dba", "cashier-lead"].iter().filter(|id| **id != role.id);
            let people: Vec<Value> = called.filter_map(|id| plan.role(id)).flat_map(|r| people(r, language)).collect();
            context! { name => role.name.of(language), duties => role.duties.of(language), phases, people }
        })
        .collect();
    render("cards.html", site, plan, context! { cards, page => "A5" })
}

/// The pages of the plan for the print pack: names of files with their text. Empty without a plan: a pack that lacks them is
/// better than none.
pub fn pack_pages(site: &Site) -> Result<Vec<(String, String)>> {
    if site.profile.plan.file.is_none() {
        return Ok(Vec::new());
    }
    let plan = Plan::of(site)?;
    let mut pages =
        vec![("calls.html".to_owned(), calls(site, &plan, None)?), ("cards.html".to_owned(), cards(site, &plan)?)];
    pages.extend(super::notice::blank(site, &plan)?);
    Ok(pages)
}

fn people(role: &Role, language: &str) -> Vec<Value> {
    let person = |p: &crate::plan::Person| {
        context! { role => role.name.of(language), name => &p.name, phone => &p.phone, deputy => p.deputy }
    };
    role.person.iter().map(person).collect()
}

fn render(template: &str, site: &Site, plan: &Plan, own: Value) -> Result<String> {
    let language = site.profile.site.language.as_str();
    let common = context! {
        language, site => &site.profile.site.name, plan => plan.name.of(language), reviewed => plan.reviewed.to_string(),
        t => templates::words(language),
    };
    let environment = templates::environment();
    environment
        .get_template(template)
        .and_then(|t| t.render(context! { ..own, ..common }))
        .cannot(format!("write the page '{template}'"))
}
