//! The print pack (应急箱): a folder of ready pages for the windows' PCs, which needs no server and no program of ours.

use super::Number;
use super::forms::{self, Page, templates};
use super::register::{Register, Wanted};
use crate::cli::Site;
use crate::clock;
use crate::error::{Cannot, Error, Result};
use crate::formats::sums;
use crate::profile::Slip;
use crate::snapshot::{self, Standing};
use crate::store::{Kind, durable};
use chrono::{DateTime, Utc};
use minijinja::{Environment, ErrorKind, Value, context};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Where the store notes the last pack.
const NOTE: &str = "paper/pack.json";

/// The last pack that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    pub at: DateTime<Utc>,
    pub path: PathBuf,
    pub snapshot: String,
    pub data_until: DateTime<Utc>,
    pub slips: u64,
    pub pages: usize,
    /// The digests of the tables that its pages were made of, by name.
    #[serde(default)]
    pub tables: BTreeMap<String, String>,
}

/// The last pack; `None` before the first.
pub fn last(site: &Site) -> Result<Option<Packed>> {
    let path = site.store.dir().join(NOTE);
    match std::fs::read(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        read => {
            let bytes = read.cannot(format!("read '{}'", path.display()))?;
            serde_json::from_slice(&bytes).map(Some).map_err(|e| site.store.damaged(NOTE, e))
        }
    }
}

/// Writes the pack into `to`, in the place of the one before. Numbers that lie in the pack untouched are printed again.
pub fn write(site: &Site, to: &Path) -> Result<Packed> {
    let doing = || format!("write the print pack '{}'", to.display());
    if site.profile.paper.pack.is_empty() || site.profile.paper.windows.is_empty() {
        return Err(Error::usage(doing(), "the profile says of no window what it needs")
            .hint("set windows and pack in [paper], such as pack = { charge = 20 }; his.toml(5) describes them."));
    }
    let _lock = site.store.lock(Kind::Register, &site.by)?;
    let standing = Standing::verified(&site.store, snapshot::open(&site.store, None)?)?;
    let mut register = Register::read(site)?;
    let to = std::path::absolute(to).cannot(doing())?;
    if to.exists() && !to.join("index.html").exists() && !durable::list(&to).cannot(doing())?.is_empty() {
        return Err(Error::usage(doing(), "there is something else in that directory")
            .hint("name a directory of its own; the pack replaces all that is in it."));
    }
    let unfinished = durable::sibling(&to);
    durable::remove_dir(&unfinished).cannot(doing())?;
    durable::make_dir(&unfinished).cannot(doing())?;
    let file = |name: &str, text: &str| durable::replace(&unfinished.join(name), text.as_bytes()).cannot(doing());
    let (mut listed, mut count) = (Vec::new(), 0);
    for window in &site.profile.paper.windows {
        for (kind, wanted) in &site.profile.paper.pack {
            let Some(slip) = site.profile.slip(kind) else { continue };
            let numbers = numbers(site, &mut register, slip, u64::try_from(*wanted).unwrap_or(1), window)?;
            let name = format!("{window}-{kind}.html");
            file(&name, &forms::render(&site.profile, slip, &numbers, Page::A4, window)?)?;
            count += numbers.len() as u64;
            let ends = [&numbers[0], &numbers[numbers.len() - 1]].map(ToString::to_string);
            let title = slip.title.of(&site.profile.site.language);
            listed.push(
                context! { window, file => name, title, first => &ends[0], last => &ends[1], count => numbers.len() },
            );
        }
    }
    let (at, data_until) = (Utc::now(), standing.snapshot().manifest.taken_at);
    let snapshot_id = standing.snapshot().id.clone();
    let (mut pages, tables) = pages(site, standing, &file)?;
    for (name, text) in crate::incident::pack_pages(site)? {
        file(&name, &text)?;
        pages.push(name);
    }
    let (zone, language) = (clock::zone(&site.profile.site), site.profile.site.language.as_str());
    let index = context! {
        language, site => &site.profile.site.name, t => templates::words(language), slips => listed, pages => &pages,
        made_at => clock::full(zone, at), data_until => clock::full(zone, data_until),
    };
    let environment = templates::environment(&site.profile);
    let index =
        environment.get_template("index.html").and_then(|t| t.render(index)).cannot("write the pack's first page")?;
    file("index.html", &index)?;
    let mut hashes = BTreeMap::new();
    for name in sums::files_below(&unfinished).cannot(doing())? {
        hashes.insert(name.clone(), sums::of_file(&unfinished.join(&name)).cannot(doing())?);
    }
    file(sums::FILE, &sums::text(&hashes))?;
    put_in_place(&unfinished, &to).cannot(doing())?;
    let packed = Packed { at, path: to, snapshot: snapshot_id, data_until, slips: count, pages: pages.len(), tables };
    let note = serde_json::to_vec_pretty(&packed).cannot("note the print pack")?;
    site.store.replace(NOTE, &note)?;
    let detail = json!({ "path": packed.path, "snapshot": packed.snapshot, "slips": count });
    site.store.journal().write(&site.by, "print pack", None, "done", detail)?;
    Ok(packed)
}

/// The old pack makes room only when the new one is whole and synced; killed between, the next run goes on.
fn put_in_place(unfinished: &Path, to: &Path) -> std::io::Result<()> {
    let old = durable::sibling(&to.with_extension("old"));
    durable::remove_dir(&old)?;
    if to.exists() {
        std::fs::rename(to, &old)?;
    }
    durable::publish_dir(unfinished, to)?;
    durable::remove_dir(&old)
}

/// Numbers of a kind that lie in this window's pack; new ones when those before were handed out, or were too few.
fn numbers(site: &Site, register: &mut Register, slip: &Slip, count: u64, window: &str) -> Result<Vec<Number>> {
    let series = Number::new(&slip.prefix, &site.profile.site.code, 1).series;
    let (known, epoch) = (register.series(&series), site.store.state()?.epoch);
    let block = known.blocks.iter().rev().find(|b| b.to == window && known.is_in_the_pack(b, epoch));
    if let Some(block) = block.filter(|b| b.last - b.first + 1 >= count) {
        return Ok((block.first..=block.last).map(|running| Number { series: series.clone(), running }).collect());
    }
    register.issue(&Wanted { series: &series, count, to: window, epoch, packed: true }, None)
}

/// The runbook page, and every `page-*.html` of the hospital's templates; with the tables that they were made of.
fn pages(
    site: &Site,
    standing: Standing,
    file: &impl Fn(&str, &str) -> Result<()>,
) -> Result<(Vec<String>, BTreeMap<String, String>)> {
    let mut environment = templates::environment(&site.profile);
    let (zone, language) = (clock::zone(&site.profile.site), site.profile.site.language.as_str());
    let taken_at = standing.snapshot().manifest.taken_at;
    let used = Used::default();
    tables(&mut environment, standing, &used);
    let context = context! {
        language, site => &site.profile.site.name, t => templates::words(language),
        today => taken_at.with_timezone(&zone).date_naive().to_string(), data_until => clock::full(zone, taken_at),
    };
    let mut names = vec!["runbook.html".to_owned()];
    if let Some(dir) = &site.profile.paper.templates {
        let found = durable::list(dir).cannot(format!("list '{}'", dir.display()))?;
        let pages = found.iter().filter(|p| p.extension().is_some_and(|e| e == "html"));
        let own = pages.filter_map(|p| p.file_name()?.to_str()).filter(|n| n.starts_with("page-"));
        names.extend(own.map(str::to_owned));
    }
    for name in &names {
        let text = environment
            .get_template(name)
            .and_then(|t| t.render(&context))
            .cannot(format!("write the page '{name}'"))?;
        file(name, &text)?;
    }
    let used = used.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok((names, used))
}

/// The tables that a page has read, with their digests.
type Used = Arc<Mutex<BTreeMap<String, String>>>;

/// What a page may ask of the snapshot: `rows(table)`, `find(table, column, values)`, `by(rows, column)`,
/// `valid(rows, from, to, day)`.
fn tables(environment: &mut Environment<'static>, standing: Standing, used: &Used) {
    let standing = Arc::new(standing);
    let (all, of_all, used) = (Arc::clone(&standing), Arc::clone(used), Arc::clone(used));
    environment.add_function("rows", move |table: String| read(&all, &of_all, &table, None));
    environment.add_function("find", move |table: String, column: String, values: Vec<Value>| {
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        read(&standing, &used, &table, Some((&column, &values)))
    });
    environment
        .add_function("valid", |rows: Vec<Value>, from: String, to: String, day: String| valid(rows, &from, &to, &day));
    environment.add_function("by", |rows: Vec<Value>, column: String| -> Result<Value, minijinja::Error> {
        let key = |row: Value| Ok((row.get_attr(&column)?.to_string(), row));
        rows.into_iter().map(key).collect::<Result<BTreeMap<String, Value>, minijinja::Error>>().map(Into::into)
    });
}

/// Rows that hold on a day: dates compare as text, and `infinity` comes after all of them.
fn valid(rows: Vec<Value>, from: &str, to: &str, day: &str) -> Result<Vec<Value>, minijinja::Error> {
    let mut kept = Vec::new();
    for row in rows {
        if row.get_attr(from)?.to_string().as_str() <= day && day < row.get_attr(to)?.to_string().as_str() {
            kept.push(row);
        }
    }
    Ok(kept)
}

/// Rows of a table; only those whose column has one of the values, so that of a large table little is kept.
fn read(
    standing: &Standing,
    used: &Used,
    table: &str,
    only: Option<(&str, &[String])>,
) -> Result<Value, minijinja::Error> {
    let bad = |why: String| minijinja::Error::new(ErrorKind::InvalidOperation, format!("table '{table}': {why}"));
    let columns = standing.columns(table).ok_or_else(|| bad("the snapshot has no such table".to_owned()))?;
    let only = match only {
        None => None,
        Some((column, values)) => {
            let at = columns.iter().position(|c| c == column).ok_or_else(|| bad(format!("no column '{column}'")))?;
            Some((at, values.iter().map(String::as_bytes).collect::<BTreeSet<_>>()))
        }
    };
    let (rows, digest) = standing
        .rows(table, |record| {
            let wanted = only.as_ref().is_none_or(|(at, values)| values.contains(&*snapshot::text(record, *at)));
            wanted.then(|| {
                let cell = |(at, name): (usize, &String)| {
                    (name.clone(), Value::from(String::from_utf8_lossy(&snapshot::text(record, at))))
                };
                Value::from(columns.iter().enumerate().map(cell).collect::<BTreeMap<String, Value>>())
            })
        })
        .map_err(|e| bad(e.to_string()))?;
    used.lock().unwrap_or_else(PoisonError::into_inner).insert(table.to_owned(), digest);
    Ok(rows.into())
}
