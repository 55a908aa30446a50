//! `status`: how every number ended, which call-backs wait, and how long keying will take. Works with both databases off.

use super::cli::kind;
use super::number::Number;
use super::register::{Count, Register, Series};
use crate::cli::{Outcome, Site};
use crate::error::{Exit, Result};
use comfy_table::{Table, presets};
use serde_json::{Value, json};
use std::fmt::Write;

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// How long one slip takes to key
    #[arg(long, value_name = "MINUTES", default_value_t = 2.0)]
    minutes_per_slip: f64,
    /// How many people key
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    people: u32,
}

/// What is known of one kind of slips.
#[derive(Debug, Default)]
pub struct Kind {
    pub kind: String,
    pub series: String,
    pub count: Count,
    /// Ranges that have not ended, and who has them.
    pub outstanding: Vec<(String, String, String)>,
    /// Keyed slips whose patients wait for a call.
    pub to_call: Vec<String>,
}

/// Every kind that has numbers.
pub fn kinds(site: &Site, register: &Register) -> Result<Vec<Kind>> {
    let epoch = site.store.state()?.epoch;
    let mut list = Vec::new();
    for slip in &site.profile.slips {
        let series = Number::new(&slip.prefix, &site.profile.site.code, 1).series;
        let known = register.series(&series);
        if known.blocks.is_empty() {
            continue;
        }
        let mut count = Count::default();
        known.blocks.iter().filter(|b| !known.is_in_the_pack(b, epoch)).for_each(|b| count += known.count(b));
        let name = |running| Number { series: series.clone(), running }.to_string();
        let outstanding = known.outstanding(epoch).into_iter().map(|(a, b, to)| (name(a), name(b), to)).collect();
        let to_call = if slip.call_back.is_some() { waiting(&known, &name) } else { Vec::new() };
        list.push(Kind { kind: slip.kind.clone(), count, outstanding, to_call, series });
    }
    Ok(list)
}

fn waiting(known: &Series, name: &dyn Fn(u64) -> String) -> Vec<String> {
    known.keyed().filter(|(n, ..)| !known.was_called(*n)).map(|(n, ..)| name(n)).collect()
}

pub fn command(site: &Site, args: &Args) -> Result<Outcome> {
    let register = Register::read(site)?;
    let list = kinds(site, &register)?;
    let mut all = Count::default();
    list.iter().for_each(|k| all += k.count);
    let to_call: Vec<&String> = list.iter().flat_map(|k| &k.to_call).collect();
    #[expect(clippy::cast_precision_loss, reason = "a guess of hours")]
    let hours = all.outstanding as f64 * args.minutes_per_slip / 60.0 / f64::from(args.people);
    let ranges = |k: &Kind| -> Vec<Value> {
        k.outstanding.iter().map(|(first, last, to)| json!({ "first": first, "last": last, "to": to })).collect()
    };
    let kinds: Vec<Value> = list
        .iter()
        .map(|k| json!({ "kind": k.kind, "series": k.series, "slips": k.count, "outstanding": ranges(k), "to_call": k.to_call }))
        .collect();
    let pack = super::pack::last(site)?;
    let json = json!({
        "slips": all, "pack": pack, "kinds": kinds, "to_call": to_call,
        "broken_off": !register.interrupted.is_empty(),
        "keying": { "minutes_per_slip": args.minutes_per_slip, "people": args.people, "hours": (hours * 100.0).round() / 100.0 },
    });
    let mut text = if list.is_empty() { "no slip was handed out".to_owned() } else { table(&list).to_string() };
    for k in &list {
        for (first, last, to) in &k.outstanding {
            let _ = write!(text, "\noutstanding: {first} to {last} ({to})");
        }
        for number in &k.to_call {
            let _ = write!(text, "\nwaits for a call: {number}");
        }
    }
    if let Some(pack) = &pack {
        let _ = write!(text, "\nprint pack: {}, data until {}", pack.path.display(), site.time(pack.data_until));
    }
    if !register.interrupted.is_empty() {
        text += "\nan import was broken off; the next one asks the database what it has";
    }
    if all.outstanding > 0 {
        let _ = write!(
            text,
            "\nto key {} slips at {} minutes each: {hours:.1} hours for {} people",
            all.outstanding, args.minutes_per_slip, args.people
        );
    }
    Ok(Outcome::new(json, text).exit(Exit::Done))
}

fn table(list: &[Kind]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["kind", "issued", "keyed", "void", "missing", "outstanding"]);
    for k in list {
        let c = k.count;
        let counts = [c.issued, c.keyed, c.void, c.missing, c.outstanding].map(|n| n.to_string());
        table.add_row(std::iter::once(k.kind.clone()).chain(counts));
    }
    table
}

/// `numbers status`: block by block.
pub fn blocks(site: &Site, name: Option<&str>) -> Result<Outcome> {
    let only = name.map(|n| kind(site, n)).transpose()?;
    let (register, epoch) = (Register::read(site)?, site.store.state()?.epoch);
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "kind",
        "first",
        "last",
        "for",
        "issued",
        "keyed",
        "void",
        "missing",
        "outstanding",
    ]);
    let mut list = Vec::new();
    for slip in site.profile.slips.iter().filter(|s| only.is_none_or(|o| o.kind == s.kind)) {
        let series = Number::new(&slip.prefix, &site.profile.site.code, 1).series;
        let known = register.series(&series);
        for block in &known.blocks {
            let name = |running| Number { series: series.clone(), running }.to_string();
            let (c, packed) = (known.count(block), known.is_in_the_pack(block, epoch));
            let to = if packed { format!("{} (print pack)", block.to) } else { block.to.clone() };
            let counts = [c.issued, c.keyed, c.void, c.missing, c.outstanding].map(|n| n.to_string());
            let names = [slip.kind.clone(), name(block.first), name(block.last), to];
            table.add_row(names.into_iter().chain(counts));
            list.push(json!({
                "kind": slip.kind, "first": name(block.first), "last": name(block.last), "to": block.to,
                "in_the_pack": packed, "slips": c,
            }));
        }
    }
    let text = if list.is_empty() { "no slip was handed out".to_owned() } else { table.to_string() };
    Ok(Outcome::new(json!({ "blocks": list }), text))
}
