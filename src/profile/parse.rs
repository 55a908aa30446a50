//! From the text of `his.toml` to a [`Profile`], or all its mistakes.

use super::reader::{Mistake, Mistakes, Section};
use super::{Endpoint, Fence, Limits, Numbers, OnConflict, Profile, Report, Site, Stamp, Store, Table, Triggers};
use super::{bouncer, desk, drill, seal, slip, watch};
use crate::catalog::{Name, split_name};
use crate::seal::Keys;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::de::{DeTable, DeValue};

/// The only version of the profile there is.
const FORMAT: i64 = 1;

pub(super) fn profile(text: &str, path: PathBuf, sha256: String) -> Result<Profile, Vec<Mistake>> {
    let mut mistakes = Mistakes::new(text);
    let root = match DeTable::parse(text) {
        Ok(root) => root,
        Err(e) => {
            mistakes.at(e.span().map_or(0, |s| s.start), e.message());
            return Err(mistakes.finish());
        }
    };
    let root = root.get_ref();
    let base = path.parent().unwrap_or(Path::new("/")).to_path_buf();

    sections(root, &mut mistakes);
    let empty = DeTable::new();
    let section = |name: &str| {
        let found = root.iter().find(|(k, _)| k.get_ref().as_ref() == name);
        found.and_then(|(k, v)| Some((v.get_ref().as_table()?, k.span().start))).unwrap_or((&empty, 0))
    };

    let (table, offset) = section("site");
    let site = site(Section::new("[site]", table, offset, &mut mistakes));
    let (table, offset) = section("primary");
    let mut s = Section::new("[primary]", table, offset, &mut mistakes);
    let (primary_url, read_url) = (s.required("url"), s.text("read_url"));
    let fence = match s.choice("fence", &["roles", "database", "none"]) {
        "database" => Fence::Database,
        "none" => Fence::None,
        _ => Fence::Roles,
    };
    s.done();
    let (table, offset) = section("standby");
    let mut s = Section::new("[standby]", table, offset, &mut mistakes);
    let (standby_url, window_roles) = (s.required("url"), s.texts("window_roles").unwrap_or_default());
    s.done();
    let (table, offset) = section("store");
    let store = store(Section::new("[store]", table, offset, &mut mistakes), &base);
    let (table, offset) = section("limits");
    let limits = limits(Section::new("[limits]", table, offset, &mut mistakes));
    let (table, offset) = section("endpoint");
    let endpoint = endpoint(Section::new("[endpoint]", table, offset, &mut mistakes), &base);
    let bouncers = bouncer::bouncers(root, &base, endpoint.kind, &mut mistakes);
    if endpoint.kind == "pgbouncer" && bouncers.is_empty() {
        mistakes.at(offset, "[endpoint]: kind is 'pgbouncer' but there is no [[pgbouncer]]");
    }

    let tables = tables(root, text, &mut mistakes);
    let numbers = numbers(root, &tables, &mut mistakes);
    let reports = reports(root, text, &base, &mut mistakes);
    let (table, offset) = section("paper");
    let paper = slip::paper(Section::new("[paper]", table, offset, &mut mistakes), &base);
    let slips = slip::slips(root, text, &base, &mut mistakes);
    if let Some((kind, _)) = paper.pack.iter().find(|(kind, _)| !slips.iter().any(|s| s.kind == *kind)) {
        mistakes.at(offset, format!("[paper]: 'pack' names '{kind}', which is no [[slip]] of this profile"));
    }
    let (table, offset) = section("desk");
    let desk = desk::desk(Section::new("[desk]", table, offset, &mut mistakes));
    let (table, offset) = section("watch");
    let watch = watch::watch(Section::new("[watch]", table, offset, &mut mistakes));
    let (table, offset) = section("plan");
    let plan = watch::plan(Section::new("[plan]", table, offset, &mut mistakes), &base);
    let (table, offset) = section("drill");
    let drill = drill::drill(Section::new("[drill]", table, offset, &mut mistakes), &base);
    let mut keys = Keys::default();
    let (table, offset) = section("sign");
    seal::sign(Section::new("[sign]", table, offset, &mut mistakes), &base, &mut keys);
    let (table, offset) = section("encrypt");
    seal::encrypt(Section::new("[encrypt]", table, offset, &mut mistakes), &base, &mut keys);
    let checks = watch::checks(root, &base, &mut mistakes);
    let mistakes = mistakes.finish();
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    Ok(Profile {
        path,
        sha256,
        site,
        primary_url,
        read_url,
        standby_url,
        fence,
        window_roles,
        store,
        limits,
        endpoint,
        bouncers,
        tables,
        numbers,
        reports,
        paper,
        slips,
        desk,
        watch,
        checks,
        plan,
        drill,
        keys,
    })
}

/// The format, and that every section is one of those there are, in its form.
fn sections<'t>(root: &DeTable<'t>, mistakes: &mut Mistakes<'t>) {
    let mut top = Section::new("profile", root, 0, mistakes);
    match top.whole("format") {
        Some(FORMAT) => {}
        Some(other) => top.bad("format", format!("is {other} (expected {FORMAT})")),
        None => top.mistake(format!("'format' is missing (expected format = {FORMAT})")),
    }
    for (key, value) in root {
        let (name, list) = (key.get_ref().as_ref(), matches!(value.get_ref(), DeValue::Array(_)));
        let expected = match name {
            "format" => continue,
            "site" | "primary" | "standby" | "store" | "limits" | "endpoint" | "paper" | "desk" | "watch" | "plan"
            | "drill" | "sign" | "encrypt" => false,
            "table" | "numbers" | "report" | "slip" | "check" | "pgbouncer" => true,
            _ => {
                mistakes.at(key.span().start, format!("profile: unknown section '{name}'"));
                continue;
            }
        };
        if list != expected || (!list && value.get_ref().as_table().is_none()) {
            let form = if expected { format!("[[{name}]]") } else { format!("[{name}]") };
            mistakes.at(key.span().start, format!("profile: '{name}' must be written as {form}"));
        }
    }
}

fn site(mut s: Section) -> Site {
    let site = Site {
        name: s.required("name"),
        code: s.required("code"),
        timezone: s.text("timezone").unwrap_or_else(|| "Asia/Shanghai".to_owned()),
        language: s.choice("language", &["zh-CN", "en"]).to_owned(),
    };
    let fits = (2..=4).contains(&site.code.len()) && site.code.chars().all(|c| c.is_ascii_alphanumeric());
    if !fits && !site.code.is_empty() {
        s.bad("code", format!("is '{}' (expected 2 to 4 letters or digits)", site.code));
    }
    if site.timezone.parse::<chrono_tz::Tz>().is_err() {
        s.bad("timezone", format!("is '{}' (expected a name such as Asia/Shanghai)", site.timezone));
    }
    s.done();
    site
}

fn store(mut s: Section, base: &Path) -> Store {
    let dir = base.join(s.required("dir"));
    let mirror = s.text("mirror").map(|m| base.join(m));
    let mut store = Store {
        dir,
        mirror,
        keep_recent: 8,
        keep_daily: 7,
        keep_weekly: 4,
        compress: true,
        full_every: Duration::ZERO,
        snapshots_of: Vec::new(),
        wipe_after: None,
    };
    for (name, count) in s.counts("keep") {
        let place = match name.as_str() {
            "recent" => &mut store.keep_recent,
            "daily" => &mut store.keep_daily,
            "weekly" => &mut store.keep_weekly,
            _ => {
                s.bad("keep", format!("has an unknown key '{name}' (expected recent, daily, weekly)"));
                continue;
            }
        };
        match u32::try_from(count) {
            Ok(count) => *place = count,
            Err(_) => s.bad("keep", format!("'{name}' is {count} (expected 0 or more)")),
        }
    }
    if store.keep_recent == 0 {
        s.bad("keep", "'recent' is 0 (expected 1 or more)");
    }
    store.compress = s.choice("compress", &["zstd", "none"]) == "zstd";
    store.full_every = s.time("full_every").unwrap_or_default();
    store.snapshots_of = s.texts("snapshots_of").unwrap_or_default();
    store.wipe_after = s.time("wipe_after");
    s.done();
    store
}

fn limits(mut s: Section) -> Limits {
    let limits = Limits {
        max_age: s.duration("max_age", Duration::from_secs(600)),
        max_shrink: s.percent("max_shrink", 20),
        max_change: s.percent("max_change", 50),
        drain: s.duration("drain", Duration::from_secs(10)),
        fence: s.duration("fence", Duration::from_secs(5)),
    };
    s.done();
    limits
}

fn endpoint(mut s: Section, base: &Path) -> Endpoint {
    let endpoint = Endpoint {
        kind: s.choice("kind", &["standby-first", "hooks", "pgbouncer"]),
        hooks: s.texts("hooks").unwrap_or_default().iter().map(|h| base.join(h)).collect(),
    };
    if endpoint.kind == "hooks" && endpoint.hooks.is_empty() {
        s.mistake("kind is 'hooks' but 'hooks' names no executable");
    }
    s.done();
    endpoint
}

/// The tables of a `[[name]]` list with where each begins.
pub(super) fn entries<'a, 't>(root: &'a DeTable<'t>, name: &str) -> Vec<(&'a DeTable<'t>, usize)> {
    let found = root.iter().find(|(k, _)| k.get_ref().as_ref() == name).and_then(|(_, v)| v.get_ref().as_array());
    found
        .map(|a| a.iter().filter_map(|v| Some((v.get_ref().as_table()?, v.span().start))).collect())
        .unwrap_or_default()
}

fn tables<'t>(root: &DeTable<'t>, text: &str, mistakes: &mut Mistakes<'t>) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for (table, offset) in entries(root, "table") {
        let line = text[..offset].matches('\n').count() + 1;
        if let Some(table) = one_table(table, offset, line, mistakes) {
            if let Some(earlier) = tables.iter().find(|t| t.name == table.name) {
                mistakes
                    .at(offset, format!("[[table]] '{}': named twice (first on line {})", table.name, earlier.line));
            }
            tables.push(table);
        }
    }
    for table in &tables {
        if let Some(parent) = &table.part_of
            && !tables.iter().any(|t| t.name == *parent && t.capture)
        {
            let offset = text.lines().take(table.line - 1).map(|l| l.len() + 1).sum();
            mistakes.at(
                offset,
                format!(
                    "[[table]] '{}': part_of names '{parent}', which is not a captured table of this profile",
                    table.name
                ),
            );
        }
    }
    tables
}

fn one_table<'t>(table: &DeTable<'t>, offset: usize, line: usize, mistakes: &mut Mistakes<'t>) -> Option<Table> {
    let mut s = Section::new("[[table]]", table, offset, mistakes);
    let written = s.required("name");
    s.label = format!("[[table]] '{written}'");
    let name = match Name::parse(&written) {
        Ok(name) => name,
        Err(e) => {
            if !written.is_empty() {
                s.bad("name", e);
            }
            return None;
        }
    };
    let stamp = s
        .pairs("stamp")
        .into_iter()
        .filter_map(|(column, what)| match what.as_str() {
            "event" => Some((column, Stamp::Event)),
            "batch" => Some((column, Stamp::Batch)),
            "merged_at" => Some((column, Stamp::MergedAt)),
            _ => {
                s.bad("stamp", format!("sets '{column}' to '{what}' (expected event, batch or merged_at)"));
                None
            }
        })
        .collect();
    let part_of = s.text("part_of").and_then(|text| match Name::parse(&text) {
        Ok(name) => Some(name),
        Err(e) => {
            s.bad("part_of", e);
            None
        }
    });
    let columns = |s: &mut Section, key| s.texts(key).unwrap_or_default();
    let table = Table {
        line,
        capture: s.flag("capture"),
        scratch: s.flag("scratch"),
        filter: s.text("where"),
        omit: columns(&mut s, "omit"),
        key: columns(&mut s, "key"),
        money: columns(&mut s, "money"),
        group: columns(&mut s, "group"),
        personal: columns(&mut s, "personal"),
        counter: columns(&mut s, "counter"),
        ignore: columns(&mut s, "ignore"),
        stamp,
        assign: s.pairs("assign"),
        same_as: columns(&mut s, "same_as"),
        once: columns(&mut s, "once"),
        guard: s.lists("guard"),
        part_of,
        triggers: if s.choice("triggers", &["replay", "refire"]) == "refire" {
            Triggers::Refire
        } else {
            Triggers::Replay
        },
        on_conflict: match s.choice("on_conflict", &["hold", "primary", "standby"]) {
            "primary" => OnConflict::Primary,
            "standby" => OnConflict::Standby,
            _ => OnConflict::Hold,
        },
        name,
    };
    if table.capture && table.scratch {
        s.mistake("both 'capture' and 'scratch'; a scratch table is never uploaded");
    }
    if let Some(column) = table.key.iter().find(|c| table.omit.contains(c)) {
        s.bad("omit", format!("names the key column '{column}'"));
    }
    if let Some(column) = table.counter.iter().find(|c| table.key.contains(c)) {
        s.bad("counter", format!("names the key column '{column}'"));
    }
    s.done();
    Some(table)
}

fn numbers<'t>(root: &DeTable<'t>, tables: &[Table], mistakes: &mut Mistakes<'t>) -> Vec<Numbers> {
    let mut list: Vec<Numbers> = Vec::new();
    for (table, offset) in entries(root, "numbers") {
        let mut s = Section::new("[[numbers]]", table, offset, mistakes);
        let (sequence, column) = (s.text("sequence"), s.text("column"));
        let (block, jump, start) = (s.wholes("block"), s.whole("jump"), s.whole("start"));
        let read = match (sequence, column) {
            (Some(sequence), None) => {
                s.label = format!("[[numbers]] '{sequence}'");
                if jump.is_some() || start.is_some() {
                    s.mistake("'jump' and 'start' go with 'column'; a sequence wants 'block'");
                }
                block_of(&mut s, &sequence, block.as_deref())
            }
            (None, Some(column)) => {
                s.label = format!("[[numbers]] '{column}'");
                if block.is_some() {
                    s.mistake("'block' goes with 'sequence'; a column wants 'jump' or 'start'");
                }
                column_of(&mut s, &column, jump, start, tables)
            }
            _ => {
                s.mistake("wants exactly one of 'sequence' and 'column'");
                None
            }
        };
        if let Some(Numbers::Block { sequence, first, last }) = &read {
            for other in &list {
                if let Numbers::Block { sequence: o, first: f, last: l } = other
                    && o == sequence
                {
                    s.mistake(format!("'{sequence}' has two blocks ({f}..{l} and {first}..{last}, expected one)"));
                }
            }
        }
        list.extend(read);
        s.done();
    }
    list
}

fn reports<'t>(root: &DeTable<'t>, text: &str, base: &Path, mistakes: &mut Mistakes<'t>) -> Vec<Report> {
    let mut list: Vec<Report> = Vec::new();
    for (table, offset) in entries(root, "report") {
        let line = text[..offset].matches('\n').count() + 1;
        let mut s = Section::new("[[report]]", table, offset, mistakes);
        let (name, file) = (s.required("name"), s.required("sql"));
        s.label = format!("[[report]] '{name}'");
        if let Some(earlier) = list.iter().find(|r| r.name == name) {
            s.bad("name", format!("is used twice (first on line {})", earlier.line));
        }
        let must_end = s.flag("must_end");
        list.push(Report { name, sql: base.join(file), must_end, line });
        s.done();
    }
    list
}

fn block_of(s: &mut Section, sequence: &str, block: Option<&[i64]>) -> Option<Numbers> {
    let name = Name::parse(sequence).map_err(|e| s.bad("sequence", e)).ok()?;
    match block {
        Some([first, last]) if first < last && *first > 0 => {
            Some(Numbers::Block { sequence: name, first: *first, last: *last })
        }
        Some(other) => {
            s.bad("block", format!("is {other:?} (expected [first, last], first above 0 and below last)"));
            None
        }
        None => {
            s.mistake("'block' is missing (expected [first, last])");
            None
        }
    }
}

fn column_of(s: &mut Section, text: &str, jump: Option<i64>, start: Option<i64>, tables: &[Table]) -> Option<Numbers> {
    let mut parts = split_name(text).map_err(|e| s.bad("column", e)).ok()?;
    let column = parts.pop().unwrap_or_default();
    let table = match <[String; 2]>::try_from(parts) {
        Ok([schema, name]) => Name { schema, name },
        Err(parts) if parts.len() == 1 => Name { schema: "public".to_owned(), name: parts.concat() },
        Err(_) => {
            s.bad("column", "is no schema.table.column");
            return None;
        }
    };
    if !tables.iter().any(|t| t.name == table) {
        s.bad("column", format!("is of '{table}', which is no [[table]] of this profile"));
    }
    match (jump, start) {
        (Some(jump), None) if jump > 0 => Some(Numbers::Jump { table, column, jump }),
        (None, Some(start)) if start > 0 => Some(Numbers::Start { table, column, start }),
        _ => {
            s.mistake("wants exactly one of 'jump' and 'start', above 0");
            None
        }
    }
}
