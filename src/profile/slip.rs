//! `[paper]` and `[[slip]]`: the paper forms of a hospital, what is keyed from them, and how it is written.

use super::parse::entries;
use super::reader::{Mistakes, Section};
use crate::catalog::{Name, split_name};
use rust_decimal::Decimal;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// `[paper]`.
#[derive(Debug, Clone, Default)]
pub struct Paper {
    /// The hospital's own templates of forms and pages; what is not there is taken from the toolkit.
    pub templates: Option<PathBuf>,
    /// A slip with a higher amount of money, in either direction, must be keyed twice; `None`: never demanded.
    pub key_twice_above: Option<Decimal>,
    /// What the print pack holds of blank slips for each window: kind and how many.
    pub pack: Vec<(String, i64)>,
    /// The windows (and wards) that get a print pack of their own.
    pub windows: Vec<String>,
}

/// What people call something, in both languages.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    pub zh: String,
    pub en: String,
}

impl Words {
    /// In the language of a profile: `zh-CN` or `en`.
    #[must_use]
    pub fn of(&self, language: &str) -> &str {
        if language == "en" { &self.en } else { &self.zh }
    }
}

/// What may stand in a column of a slip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Text,
    /// A whole number.
    Whole,
    /// Yuan, at most two decimals.
    Money,
    /// A unit price: at most four decimals.
    Price,
    /// At most three decimals.
    Quantity,
    Date,
    /// Hours and minutes.
    Time,
    DateTime,
    /// A resident's identity number: 18 characters with their check character (GB 11643).
    IdNo,
    YesNo,
}

/// One `[[slip.column]]`.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name in the site's SQL: `:field`.
    pub field: String,
    pub header: Words,
    pub form: Form,
    /// It is of a line of the slip, and not of the slip.
    pub line: bool,
    pub required: bool,
    pub personal: bool,
    /// Table and column in which the value must be found.
    pub lookup: Option<(Name, String)>,
    /// What may be written, in words and as stored; empty: anything.
    pub values: Vec<(String, String)>,
    /// It is the sum of this column of the lines.
    pub sum: Option<String>,
    /// It is the product of these columns of its own line (or slip), rounded to cents.
    pub product: Vec<String>,
}

/// One `[[slip]]`: a kind of paper form.
#[derive(Debug, Clone)]
pub struct Slip {
    pub line: usize,
    /// Its name on the command line, and of its template.
    pub kind: String,
    /// Letters that its numbers begin with.
    pub prefix: String,
    pub title: Words,
    /// The file with the SQL that writes one slip; `None`: the slip is filed as paper, and only its number is accounted for.
    pub sql: Option<PathBuf>,
    pub columns: Vec<Column>,
    /// Tables with `same_as` that it writes, and the value the SQL returns that is the key of its row there.
    pub twins: Vec<(Name, String)>,
    /// A slip on which this column is empty waits for a call to the patient.
    pub call_back: Option<String>,
}

impl Slip {
    #[must_use]
    pub fn column(&self, field: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.field == field)
    }

    /// Columns of the slip itself with an amount of money: what control totals are made of.
    pub fn money(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|c| !c.line && c.form == Form::Money)
    }

    #[must_use]
    pub fn has_lines(&self) -> bool {
        self.columns.iter().any(|c| c.line)
    }
}

/// Values that every slip has; no column may take their names.
pub const OWN_FIELDS: [&str; 7] = ["slip_no", "written_at", "kind", "event", "keyed_at", "keyed_by", "line_no"];

const FORMS: [(&str, Form); 10] = [
    ("text", Form::Text),
    ("whole", Form::Whole),
    ("money", Form::Money),
    ("price", Form::Price),
    ("quantity", Form::Quantity),
    ("date", Form::Date),
    ("time", Form::Time),
    ("datetime", Form::DateTime),
    ("id_no", Form::IdNo),
    ("yes_no", Form::YesNo),
];

pub(super) fn paper(mut s: Section, base: &Path) -> Paper {
    let limit = s.text("key_twice_above");
    let paper = Paper {
        templates: s.text("templates").map(|t| base.join(t)),
        key_twice_above: limit.and_then(|text| match text.parse::<Decimal>() {
            Ok(limit) if limit.scale() <= 2 && !limit.is_sign_negative() => Some(limit),
            _ => {
                s.bad("key_twice_above", format!("is '{text}' (expected an amount such as \"500.00\")"));
                None
            }
        }),
        pack: s.counts("pack"),
        windows: s.texts("windows").unwrap_or_default(),
    };
    if let Some((kind, count)) = paper.pack.iter().find(|(_, count)| !(1..=1000).contains(count)) {
        s.bad("pack", format!("'{kind}' is {count} (expected 1 to 1000)"));
    }
    s.done();
    paper
}

pub(super) fn slips<'t>(root: &DeTable<'t>, text: &str, base: &Path, mistakes: &mut Mistakes<'t>) -> Vec<Slip> {
    let mut list: Vec<Slip> = Vec::new();
    for (table, offset) in entries(root, "slip") {
        let line = text[..offset].matches('\n').count() + 1;
        let mut s = Section::new("[[slip]]", table, offset, mistakes);
        let kind = s.required("kind");
        s.label = format!("[[slip]] '{kind}'");
        if !kind.starts_with(|c: char| c.is_ascii_lowercase())
            || !kind.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        {
            s.bad("kind", format!("is '{kind}' (expected a word of small letters, such as charge)"));
        }
        let prefix = s.required("prefix");
        if !(1..=2).contains(&prefix.len()) || !prefix.chars().all(|c| c.is_ascii_uppercase()) {
            s.bad("prefix", format!("is '{prefix}' (expected 1 or 2 capital letters)"));
        }
        if let Some(other) = list.iter().find(|o| o.kind == kind || o.prefix == prefix) {
            s.mistake(format!("its kind or prefix is that of '{}' on line {}", other.kind, other.line));
        }
        let (title, sql) = (words(&mut s, "title"), s.text("sql").map(|f| base.join(f)));
        let twins = s.pairs("twins").into_iter().filter_map(|(name, value)| match Name::parse(&name) {
            Ok(name) => Some((name, value)),
            Err(e) => {
                s.bad("twins", e);
                None
            }
        });
        let twins = twins.collect();
        let call_back = s.text("call_back");
        s.skip("column");
        s.done();
        let columns = columns(table, &kind, mistakes);
        let slip = Slip { line, kind, prefix, title, sql, columns, twins, call_back };
        check(&slip, offset, mistakes);
        list.push(slip);
    }
    list
}

fn columns<'t>(slip: &DeTable<'t>, kind: &str, mistakes: &mut Mistakes<'t>) -> Vec<Column> {
    let mut list: Vec<Column> = Vec::new();
    for (table, offset) in entries(slip, "column") {
        let mut s = Section::new("[[slip.column]]", table, offset, mistakes);
        let field = s.required("field");
        s.label = format!("[[slip.column]] '{kind}.{field}'");
        let plain = field.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !plain || !field.starts_with(|c: char| c.is_ascii_lowercase()) {
            s.bad("field", format!("is '{field}' (expected small letters, digits and _)"));
        }
        if OWN_FIELDS.contains(&field.as_str()) || list.iter().any(|c| c.field == field) {
            s.bad("field", format!("'{field}' is taken"));
        }
        let lookup = s.text("lookup").and_then(|text| match column_name(&text) {
            Ok(found) => Some(found),
            Err(e) => {
                s.bad("lookup", e);
                None
            }
        });
        let form = s.choice("type", &FORMS.map(|(name, _)| name));
        list.push(Column {
            header: words(&mut s, "header"),
            form: FORMS.iter().find(|(name, _)| *name == form).map_or(Form::Text, |(_, form)| *form),
            line: s.flag("line"),
            required: s.flag("required"),
            personal: s.flag("personal"),
            lookup,
            values: s.pairs("values"),
            sum: s.text("sum"),
            product: s.texts("product").unwrap_or_default(),
            field,
        });
        s.done();
    }
    list
}

/// What its columns say of each other.
fn check(slip: &Slip, offset: usize, mistakes: &mut Mistakes<'_>) {
    let mut wrong = |what: String| mistakes.at(offset, format!("[[slip]] '{}': {what}", slip.kind));
    let number = |c: &Column| matches!(c.form, Form::Money | Form::Price | Form::Quantity | Form::Whole);
    for column in &slip.columns {
        let field = &column.field;
        if let Some(sum) = &column.sum
            && (column.line || !slip.column(sum).is_some_and(|c| c.line && number(c)))
        {
            wrong(format!("'{field}' is the sum of '{sum}' (expected a number of its lines)"));
        }
        let factor = |f: &String| slip.column(f).is_some_and(|c| c.line == column.line && number(c));
        if let Some(bad) = column.product.iter().find(|f| !factor(f)) {
            wrong(format!("'{field}' is a product of '{bad}' (expected a number beside it)"));
        }
    }
    if let Some(field) = &slip.call_back
        && slip.column(field).is_none_or(|c| c.line)
    {
        wrong(format!("call_back names '{field}', which is no column of the slip"));
    }
}

/// A title or header: `{ zh = "…", en = "…" }`, in the language codes of the profile too.
fn words(s: &mut Section, key: &'static str) -> Words {
    let pairs = s.pairs(key);
    let of = |code: &str| pairs.iter().find(|(k, _)| k == code).map(|(_, v)| v.trim().to_owned());
    match (of("zh"), of("en")) {
        (Some(zh), Some(en)) if pairs.len() == 2 => Words { zh, en },
        _ => {
            s.bad(key, "is not complete (expected { zh = \"…\", en = \"…\" })");
            Words { zh: String::new(), en: String::new() }
        }
    }
}

/// `schema.table.column`, or `table.column` of public.
fn column_name(text: &str) -> Result<(Name, String), String> {
    let mut parts = split_name(text)?;
    let column = parts.pop().unwrap_or_default();
    match <[String; 2]>::try_from(parts) {
        Ok([schema, name]) => Ok((Name { schema, name }, column)),
        Err(parts) if parts.len() == 1 => Ok((Name { schema: "public".to_owned(), name: parts.concat() }, column)),
        Err(_) => Err(format!("is '{text}' (expected schema.table.column)")),
    }
}
