//! Notices: filled from their templates, written for posting in both languages, handed to the hospital's hook.

use super::log::Incident;
use super::templates;
use crate::cli::Site;
use crate::clock;
use crate::error::{Cannot, Error, Result};
use crate::plan::{Audience, Notice, Plan};
use crate::store::durable;
use chrono::Utc;
use minijinja::context;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A notice as it went out.
#[derive(Debug, Clone)]
pub struct Written {
    pub title: String,
    pub text: String,
    pub files: Vec<PathBuf>,
    /// Why the hook did not take it; `None`: it did, or there is none.
    pub hook: Option<String>,
    pub handed_over: bool,
}

/// Where the pages of an incident lie.
#[must_use]
pub fn folder(site: &Site, incident: &Incident) -> PathBuf {
    site.store.dir().join("incidents").join(&incident.id)
}

/// The template of this name, or those that there are.
pub fn find<'p>(plan: &'p Plan, id: &str) -> Result<&'p Notice> {
    plan.notice.iter().find(|n| n.id == id).ok_or_else(|| {
        let known: Vec<&str> = plan.notice.iter().map(|n| n.id.as_str()).collect();
        Error::usage(format!("write the notice '{id}'"), "the plan has no such notice")
            .hint(format!("it has: {}.", known.join(", ")))
    })
}

/// Fills a notice, writes it as a page and as text, and hands it to the hook.
pub fn write(
    site: &Site,
    plan: &Plan,
    incident: &Incident,
    notice: &Notice,
    set: &[(String, String)],
    to: &Path,
) -> Result<Written> {
    let doing = || format!("write the notice '{}'", notice.id);
    let (zh, en) =
        (filled(site, plan, incident, notice, set, "zh-CN")?, filled(site, plan, incident, notice, set, "en")?);
    let language = site.profile.site.language.as_str();
    let (title, text) = (notice.title.of(language).to_owned(), if language == "en" { en.clone() } else { zh.clone() });
    durable::make_dir(to).cannot(doing())?;
    let page = page(site, notice, &zh, &en, &clock::full(clock::zone(&site.profile.site), Utc::now()))?;
    let stem = format!("{}-{}", Utc::now().with_timezone(&clock::zone(&site.profile.site)).format("%H%M%S"), notice.id);
    let both = format!("{}\n\n{zh}\n\n{}\n\n{en}\n", notice.title.zh, notice.title.en);
    let mut files = Vec::new();
    for (extension, text) in [("html", &page), ("txt", &both)] {
        let path = to.join(format!("{stem}.{extension}"));
        durable::replace(&path, text.as_bytes()).cannot(format!("write '{}'", path.display()))?;
        files.push(path);
    }
    let hook = site.profile.plan.notice_hook.as_ref();
    let problem = hook.and_then(|hook| {
        let told = json!({
            "incident": incident.id, "notice": notice.id, "to": notice.to, "site": site.profile.site.name,
            "title": title, "text": text, "zh": zh, "en": en,
        });
        let mut command = Command::new(hook);
        command.env("HIS_INCIDENT", &incident.id).env("HIS_NOTICE", &notice.id).env("HIS_TO", to_name(notice.to));
        crate::hook::run(&mut command, Some(&format!("{told}\n"))).err().map(|e| format!("'{}' {e}", hook.display()))
    });
    Ok(Written { title, text, files, handed_over: hook.is_some() && problem.is_none(), hook: problem })
}

fn to_name(to: Audience) -> &'static str {
    match to {
        Audience::Patients => "patients",
        Audience::Staff => "staff",
        Audience::Superiors => "superiors",
    }
}

/// Every notice to patients with lines to be filled by hand, for the print pack.
pub fn blank(site: &Site, plan: &Plan) -> Result<Vec<(String, String)>> {
    let line = |name: &str| (name.to_owned(), "________".to_owned());
    let values: BTreeMap<String, String> =
        ["time", "since", "level", "cause", "data_until"].iter().map(|n| line(n)).collect();
    let own = [("site".to_owned(), site.profile.site.name.clone())];
    let values: BTreeMap<String, String> = values.into_iter().chain(own).collect();
    let mut pages = Vec::new();
    for notice in plan.notice.iter().filter(|n| n.to != Audience::Superiors) {
        let doing = || format!("write the notice '{}'", notice.id);
        let zh = templates::fill(&notice.text.zh, &values).cannot(doing())?;
        let en = templates::fill(&notice.text.en, &values).cannot(doing())?;
        pages.push((format!("notice-{}.html", notice.id), page(site, notice, &zh, &en, "")?));
    }
    Ok(pages)
}

fn filled(
    site: &Site,
    plan: &Plan,
    incident: &Incident,
    notice: &Notice,
    set: &[(String, String)],
    language: &str,
) -> Result<String> {
    let (now, of) = (Utc::now(), &site.profile.site);
    let event = site.store.state()?.event;
    let none = "—".to_owned();
    let time = |at| clock::time_of_day(of, at, now);
    let own = [
        ("site", of.name.clone()),
        ("time", time(now)),
        ("since", time(incident.began())),
        (
            "level",
            incident
                .level()
                .and_then(|n| plan.level(n))
                .map_or_else(|| none.clone(), |l| l.name.of(language).to_owned()),
        ),
        (
            "cause",
            incident
                .cause()
                .and_then(|c| plan.cause(c))
                .map_or_else(|| none.clone(), |c| c.name.of(language).to_owned()),
        ),
        ("data_until", event.and_then(|e| e.data_until).map_or(none, time)),
    ];
    let mut values: BTreeMap<String, String> = own.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    values.extend(set.iter().cloned());
    templates::fill(notice.text.of(language), &values).map_err(|e| {
        Error::usage(format!("write the notice '{}'", notice.id), e)
            .hint("give what its text asks for with --set NAME=TEXT.")
    })
}

fn page(site: &Site, notice: &Notice, zh: &str, en: &str, at: &str) -> Result<String> {
    let context = context! {
        language => "zh-CN", site => &site.profile.site.name, title => &notice.title.zh, title_en => &notice.title.en, zh, en, at,
    };
    let environment = templates::environment();
    environment
        .get_template("notice.html")
        .and_then(|t| t.render(context))
        .cannot(format!("write the notice '{}'", notice.id))
}
