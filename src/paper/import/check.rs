//! Everything that can be said of a keyed file before it is written.

use super::site_sql;
use super::target::Place;
use super::write::{self, Refusal};
use crate::cli::Site;
use crate::db::Client;
use crate::error::{Error, Result};
use crate::paper::Number;
use crate::paper::register::{End, Register};
use crate::paper::sheet::double::{self, Disagreement};
use crate::paper::sheet::{self, Keyed, Sheet, rejects};
use crate::profile::Slip;
use crate::store::Mode;
use rust_decimal::Decimal;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What is to be checked or imported.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub file: PathBuf,
    /// The same slips, keyed by somebody else.
    pub second: Option<PathBuf>,
    /// Where the slips that are refused are written, to be corrected; default: beside the file.
    pub rejects: Option<PathBuf>,
    /// Slips on the cover sheet.
    pub expect_count: Option<usize>,
    /// Money on the cover sheet: of the first amount of the slips.
    pub expect_total: Option<Decimal>,
    /// Slips that have a twin, and are wanted beside it.
    pub both: Vec<Number>,
}

impl Options {
    pub fn keeps_both(&self, number: &Number) -> bool {
        self.both.contains(number)
    }
}

/// One reason why a slip is not imported.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Rejected {
    pub line: usize,
    pub slip_no: String,
    pub field: String,
    pub reason: String,
}

/// One amount of the slips, summed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Totals {
    pub field: String,
    pub read: Decimal,
    pub imported: Decimal,
    pub already: Decimal,
    pub rejected: Decimal,
}

/// What a file holds, and what became of it.
#[derive(Debug)]
pub struct Checked {
    pub file: PathBuf,
    pub encoding: String,
    pub slip: Slip,
    pub read: usize,
    pub imported: usize,
    pub already: usize,
    pub rejects: Vec<Rejected>,
    pub money: Vec<Totals>,
    /// What the cover sheet says and the file does not.
    pub cover: Vec<String>,
    /// Where the refused slips were written.
    pub rejects_file: Option<PathBuf>,
    /// Where the disagreements of two keyings were written.
    pub disagreements_file: Option<PathBuf>,
    /// Slips that can be imported.
    pub(super) good: Vec<Keyed>,
    sheet: Sheet,
    language: String,
}

impl Checked {
    /// Distinct slips that are rejected.
    #[must_use]
    pub fn rejected(&self) -> usize {
        self.rejects.iter().map(|r| r.slip_no.as_str()).collect::<BTreeSet<_>>().len()
    }

    /// Slips that can be imported, and have not been.
    #[must_use]
    pub fn open(&self) -> usize {
        self.good.len()
    }

    #[must_use]
    pub fn cover_differs(&self) -> bool {
        !self.cover.is_empty()
    }

    pub(super) fn refuse(&mut self, keyed: &Keyed, refusal: Refusal) {
        let rejected = refusal.rejected(keyed, &self.language);
        self.rejects.push(rejected);
        self.rejects.sort();
        self.add(keyed, |t| &mut t.rejected);
    }

    pub(super) fn count(&mut self, keyed: &Keyed, already: bool) {
        if already {
            self.already += 1;
            self.add(keyed, |t| &mut t.already);
        } else {
            self.imported += 1;
            self.add(keyed, |t| &mut t.imported);
        }
    }

    fn add(&mut self, keyed: &Keyed, of: fn(&mut Totals) -> &mut Decimal) {
        for totals in &mut self.money {
            let amount = amount(keyed, &totals.field);
            *of(totals) += amount;
        }
    }

    /// Writes the refused slips into a file of the same layout, to be corrected and imported again.
    pub fn write_rejects(&mut self, path: &Path) -> Result<()> {
        if self.rejects.is_empty() {
            return Ok(());
        }
        rejects::write(path, &self.sheet, &self.rejects, &self.language)?;
        self.rejects_file = Some(path.to_path_buf());
        Ok(())
    }
}

fn amount(keyed: &Keyed, field: &str) -> Decimal {
    keyed.values.get(field).and_then(|v| v.as_deref()?.parse().ok()).unwrap_or_default()
}

/// Checks a file, and changes nothing.
pub fn check(site: &Site, options: &Options) -> Result<Checked> {
    check_with(site, options, &Register::read(site)?, &BTreeSet::new())
}

/// Checks a file against the register, the databases, and a second keying. Of `unknown` slips nobody knows now whether they
/// are written.
pub(super) fn check_with(
    site: &Site,
    options: &Options,
    register: &Register,
    unknown: &BTreeSet<Number>,
) -> Result<Checked> {
    let (profile, language) = (&site.profile, site.profile.site.language.clone());
    let mut sheet = sheet::read(&options.file, profile)?;
    let slip = profile.slip(&sheet.kind).cloned().ok_or_else(|| {
        Error::usage(format!("read '{}'", options.file.display()), format!("'{}' is no kind of slip", sheet.kind))
    })?;
    let keyed = std::mem::take(&mut sheet.slips);
    let money = slip.money().map(|c| Totals {
        field: c.field.clone(),
        read: sheet.total(&c.field) + keyed.iter().map(|k| amount(k, &c.field)).sum::<Decimal>(),
        imported: Decimal::ZERO,
        already: Decimal::ZERO,
        rejected: sheet.total(&c.field),
    });
    let mut checked = Checked {
        file: options.file.clone(),
        encoding: sheet.encoding.to_string(),
        read: sheet.read,
        imported: 0,
        already: 0,
        rejects: sheet.rejects.iter().map(|r| told(r, &language)).collect(),
        money: money.collect(),
        cover: Vec::new(),
        rejects_file: None,
        disagreements_file: None,
        good: Vec::new(),
        language,
        sheet,
        slip,
    };
    checked.cover = cover(options, &checked);
    let mut refusals: BTreeMap<Number, Refusal> = BTreeMap::new();
    let series = keyed.first().map(|k| register.series(&k.number.series)).unwrap_or_default();
    let mut already = BTreeSet::new();
    for slip in &keyed {
        let hash = slip.hash(&checked.slip.kind);
        match in_register(&series, slip.number.running, &hash) {
            Standing::Open if unknown.contains(&slip.number) => {
                let refusal = Refusal::of(
                    "slip_no",
                    "上次导入中断，要等那个数据库应答后才知道此单是否已写入",
                    "an import of it was broken off; whether it is written is known when that database answers",
                );
                refusals.insert(slip.number.clone(), refusal);
            }
            Standing::Open => {}
            Standing::Already => {
                already.insert(slip.number.clone());
            }
            Standing::Not(refusal) => {
                refusals.insert(slip.number.clone(), refusal);
            }
        }
    }
    let mut differ = second(site, options, &checked, &keyed, &mut refusals)?;
    site_sql::read(&checked.slip)?;
    if let Some(mut client) = connect(site, &checked.slip, &keyed)? {
        differ.extend(conflicts(&mut client, &checked.slip, &keyed, &refusals)?);
        look_up(&mut client, &checked.slip, &keyed, &mut refusals)?;
    }
    if !differ.is_empty() {
        let path = options.file.with_extension("disagreements.csv");
        double::write(&path, &differ, &checked.slip, &checked.language)?;
        checked.disagreements_file = Some(path);
    }
    for slip in keyed {
        if let Some(refusal) = refusals.remove(&slip.number) {
            checked.refuse(&slip, refusal);
        } else if already.contains(&slip.number) {
            checked.count(&slip, true);
        } else {
            checked.good.push(slip);
        }
    }
    Ok(checked)
}

fn told(reject: &sheet::Reject, language: &str) -> Rejected {
    Rejected {
        line: reject.line,
        slip_no: reject.slip_no.clone(),
        field: reject.field.clone(),
        reason: reject.reason.text(language),
    }
}

/// What the cover sheet of the batch says, against the file.
fn cover(options: &Options, checked: &Checked) -> Vec<String> {
    let mut differ = Vec::new();
    if let Some(count) = options.expect_count.filter(|c| *c != checked.read) {
        differ.push(format!("the cover sheet says {count} slips, the file has {}", checked.read));
    }
    if let Some(total) = options.expect_total {
        match checked.money.first() {
            Some(found) if found.read == total => {}
            Some(found) => {
                differ.push(format!(
                    "the cover sheet says {total}, the file comes to {} in '{}'",
                    found.read, found.field
                ));
            }
            None => differ.push(format!("the cover sheet says {total}, and these slips have no amount")),
        }
    }
    differ
}

enum Standing {
    Open,
    Already,
    Not(Refusal),
}

fn in_register(series: &crate::paper::register::Series, running: u64, hash: &str) -> Standing {
    let refusal = |zh: &str, en: &str| Standing::Not(Refusal::of("slip_no", zh, en));
    match (series.block(running), series.end_of(running)) {
        (None, _) => refusal("此单号未曾发放", "this number was never issued"),
        (_, Some(End::Keyed { hash: there, .. })) if there == hash => Standing::Already,
        (_, Some(End::Keyed { .. })) => {
            refusal("此单号已补录，内容不同", "this number is keyed already with other content")
        }
        (_, Some(End::Void)) => refusal(
            "此单号已登记作废（如有误：numbers reopen）",
            "this number is registered as void (if that is wrong: numbers reopen)",
        ),
        // A missing slip has turned up.
        (_, Some(End::Missing) | None) => Standing::Open,
    }
}

/// Compares with a second keying; without one, large amounts are refused.
fn second(
    site: &Site,
    options: &Options,
    checked: &Checked,
    keyed: &[Keyed],
    refusals: &mut BTreeMap<Number, Refusal>,
) -> Result<Vec<Disagreement>> {
    let Some(path) = &options.second else {
        for slip in keyed {
            if let Some(field) = double::must_be_twice(slip, &checked.slip, &site.profile) {
                let limit = site.profile.paper.key_twice_above.unwrap_or_default();
                let refusal = Refusal::of(
                    &field,
                    format!("金额超过 {limit}，必须由两人各录一遍（--second）"),
                    format!("above {limit}: must be keyed twice, by two people (--second)"),
                );
                refusals.entry(slip.number.clone()).or_insert(refusal);
            }
        }
        return Ok(Vec::new());
    };
    let other = sheet::read(path, &site.profile)?;
    if other.kind != checked.slip.kind {
        let reason = format!("it holds slips '{}' (expected '{}')", other.kind, checked.slip.kind);
        return Err(Error::usage(format!("compare with '{}'", path.display()), reason)
            .hint("--second wants the same slips, keyed by somebody else."));
    }
    let compared = double::compare(keyed, &other, &checked.slip);
    for found in &compared {
        let refusal = Refusal {
            line: Some(found.line),
            ..Refusal::of(&found.field, "两人所录不一致，请核对原单", "the two keyings differ; look at the slip itself")
        };
        refusals.entry(found.number.clone()).or_insert(refusal);
    }
    Ok(compared)
}

/// A session where these slips would go; `None` when they go nowhere, or there are none. While the windows are on paper a
/// file can be looked at all the same, but for what only a database knows.
fn connect(site: &Site, slip: &Slip, keyed: &[Keyed]) -> Result<Option<Client>> {
    if keyed.is_empty() || slip.sql.is_none() {
        return Ok(None);
    }
    if site.store.state()?.mode == Mode::Paper {
        site.talk.warn("the windows are on paper: nothing was looked up in the HIS's tables");
        return Ok(None);
    }
    Place::now(site, slip)?.connect(site)
}

/// What the database has of slips that are refused because their number was keyed before, beside what the file says.
fn conflicts(
    client: &mut Client,
    slip: &Slip,
    keyed: &[Keyed],
    refusals: &BTreeMap<Number, Refusal>,
) -> Result<Vec<Disagreement>> {
    let refused: Vec<&Keyed> = keyed.iter().filter(|k| refusals.contains_key(&k.number)).collect();
    let numbers: Vec<Number> = refused.iter().map(|k| k.number.clone()).collect();
    let known = write::known(client, &numbers)?;
    let mut found = Vec::new();
    for keyed in refused {
        let there = known.iter().find(|k| k.slip_no == keyed.number.to_string());
        if let Some(there) = there.filter(|k| k.hash != keyed.hash(&slip.kind)) {
            found.extend(write::differing(keyed, slip, &there.content));
        }
    }
    Ok(found)
}

/// Values that must be found in the HIS's own tables.
fn look_up(client: &mut Client, slip: &Slip, keyed: &[Keyed], refusals: &mut BTreeMap<Number, Refusal>) -> Result<()> {
    let columns = slip.columns.iter().filter_map(|c| Some((c, c.lookup.as_ref()?)));
    for (column, lookup) in columns {
        let of_slip = |k: &Keyed| k.values.get(&column.field).cloned().flatten();
        let values: BTreeSet<String> = if column.line {
            let lines = keyed.iter().flat_map(|k| &k.lines);
            lines.filter_map(|l| l.values.get(&column.field).cloned().flatten()).collect()
        } else {
            keyed.iter().filter_map(of_slip).collect()
        };
        let values: Vec<String> = values.into_iter().collect();
        let unknown: BTreeSet<String> = write::unknown(client, lookup, &values)?.into_iter().collect();
        for slip in keyed {
            let wrong = |value: Option<String>| value.is_some_and(|v| unknown.contains(&v));
            let line = if column.line {
                slip.lines.iter().find(|l| wrong(l.values.get(&column.field).cloned().flatten())).map(|l| l.line)
            } else {
                wrong(of_slip(slip)).then_some(slip.line)
            };
            if line.is_some() {
                let (table, name) = lookup;
                let refusal = Refusal::of(
                    &column.field,
                    format!("{table}.{name} 中没有这个值"),
                    format!("there is no such value in {table}.{name}"),
                );
                refusals.entry(slip.number.clone()).or_insert(Refusal { line, ..refusal });
            }
        }
    }
    Ok(())
}
