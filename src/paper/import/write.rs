//! Writes one slip into the HIS: one transaction, which also holds the slip's own record, so that it counts once.

use super::site_sql::{Statement, Values};
use crate::catalog::Catalog;
use crate::db::{Client, Transaction, sql};
use crate::error::{Cannot, Error, Result};
use crate::paper::Number;
use crate::paper::sheet::Keyed;
use crate::paper::sheet::double::Disagreement;
use crate::profile::{Profile, Slip, Words};
use chrono::NaiveDateTime;
use minijinja::context;
use serde_json::{Map, Value};
use std::time::Duration;
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::error::SqlState;

/// A slip that meets a window's lock is tried again this often.
const TRIES: u32 = 5;

/// What the standby's gate and capture refuse (sql/standby): it is about the standby, and no slip's fault.
const GATE: &str = "HS001";

/// What became of a slip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Imported,
    /// It is there, with the same content.
    Already,
    Refused(Refusal),
}

/// Why a slip was not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Line of the file, when it is about one.
    pub line: Option<usize>,
    pub field: String,
    pub reason: Words,
}

impl Refusal {
    pub fn of(field: &str, zh: impl Into<String>, en: impl Into<String>) -> Refusal {
        Refusal { line: None, field: field.to_owned(), reason: Words { zh: zh.into(), en: en.into() } }
    }
}

/// A table that a slip writes, in which no other row may be the same.
#[derive(Debug, Clone)]
struct Twin {
    table: String,
    shown: String,
    key: String,
    columns: Vec<String>,
    /// What the SQL returns as the key of the slip's row.
    value: String,
}

/// Who writes, for which event.
#[derive(Debug, Clone)]
pub struct For<'a> {
    pub event: Option<&'a str>,
    pub by: &'a str,
    pub zone: chrono_tz::Tz,
}

/// A database that slips of one kind are written to.
pub struct Writer<'a> {
    client: &'a mut Client,
    slip: &'a Slip,
    statements: &'a [Statement],
    twins: Vec<Twin>,
    who: For<'a>,
}

impl<'a> Writer<'a> {
    pub fn new(
        client: &'a mut Client,
        profile: &Profile,
        slip: &'a Slip,
        statements: &'a [Statement],
        who: For<'a>,
    ) -> Result<Writer<'a>> {
        let twins = if slip.twins.is_empty() { Vec::new() } else { twins(client, profile, slip)? };
        Ok(Writer { client, slip, statements, twins, who })
    }

    /// Writes one slip, or says why not. `both`: a twin is known, and both are kept. An error leaves open whether this slip
    /// was written; its record in the database tells.
    pub fn write(&mut self, keyed: &Keyed, hash: &str, both: bool) -> Result<Outcome> {
        let doing = || format!("write slip '{}'", keyed.number);
        let mut tries = 0;
        loop {
            match self.attempt(keyed, hash, both) {
                Ok(outcome) => return Ok(outcome),
                Err(Failure::Refused(refusal)) => return Ok(Outcome::Refused(refusal)),
                Err(Failure::Server(e)) if again(&e) && tries < TRIES => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(100 * u64::from(tries)));
                }
                Err(Failure::Server(e)) if e.code().is_some_and(|c| c.code() == GATE) => {
                    let reason = e.as_db_error().map_or_else(|| e.to_string(), |db| db.message().to_owned());
                    return Err(Error::refused(doing(), reason)
                        .hint("his-switch status says how the standby stands; his-switch standby confirms one that was restarted."));
                }
                Err(Failure::Server(e)) if of_the_slip(&e) => return Ok(Outcome::Refused(refused(&e))),
                Err(Failure::Server(e)) => return Err(e).cannot(doing()),
                Err(Failure::Ours(e)) => return Err(e),
            }
        }
    }

    fn attempt(&mut self, keyed: &Keyed, hash: &str, both: bool) -> Result<Outcome, Failure> {
        let (number, who) = (keyed.number.to_string(), self.who.clone());
        let content = content(keyed);
        let mut tx = self.client.transaction()?;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
            [&number, &self.slip.kind, &hash, &content, &keyed.written_at, &who.by, &who.event];
        if tx.execute(crate::sql!("paper/record.sql"), &parameters)? == 0 {
            let there = tx.query_one(crate::sql!("paper/known.sql"), &[&vec![number.as_str()]])?;
            let same = there.get::<_, String>(1) == hash;
            return if same { Ok(Outcome::Already) } else { Err(Failure::Refused(conflict(&content, there.get(2)))) };
        }
        let mut values = own_values(keyed, self.slip, &who);
        values.extend(keyed.values.clone());
        let mut returned = Values::new();
        for statement in self.statements {
            if statement.each_line {
                for (no, line) in (1..).zip(&keyed.lines) {
                    let mut values = values.clone();
                    values.extend(line.values.clone());
                    values.insert("line_no".to_owned(), Some(no.to_string()));
                    run(&mut tx, self.slip, statement, &values).map_err(|e| e.at(line.line))?;
                }
            } else {
                let more = run(&mut tx, self.slip, statement, &values)?;
                returned.extend(more.clone());
                values.extend(more);
            }
        }
        if !both {
            for twin in &self.twins {
                unlike_others(&mut tx, twin, &values)?;
            }
        }
        let (names, kept): (Vec<String>, Vec<Option<String>>) = returned.into_iter().unzip();
        tx.execute(crate::sql!("paper/value.sql"), &[&number, &names, &kept])?;
        tx.commit()?;
        Ok(Outcome::Imported)
    }
}

enum Failure {
    Refused(Refusal),
    Server(tokio_postgres::Error),
    Ours(Error),
}

impl Failure {
    fn at(self, line: usize) -> Failure {
        match self {
            Failure::Refused(refusal) => Failure::Refused(Refusal { line: Some(line), ..refusal }),
            other => other,
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(e: tokio_postgres::Error) -> Failure {
        Failure::Server(e)
    }
}

/// A lock of a window, or a deadlock with one.
fn again(e: &tokio_postgres::Error) -> bool {
    let states = [SqlState::T_R_DEADLOCK_DETECTED, SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_SERIALIZATION_FAILURE];
    e.code().is_some_and(|code| states.contains(code))
}

/// True when the server refuses what the slip says, and not us: data, constraints, and what the HIS's functions raise.
fn of_the_slip(e: &tokio_postgres::Error) -> bool {
    e.code().is_some_and(|code| matches!(&code.code()[..2], "22" | "23" | "P0"))
}

/// What the server said, without what it quotes of the rows.
fn refused(e: &tokio_postgres::Error) -> Refusal {
    let (_, reason, _) = crate::error::Reason::reason(e);
    Refusal::of("", format!("数据库不接受：{reason}"), format!("the database refuses it: {reason}"))
}

/// Runs one statement and gives what it returned by column names; all NULL when it returned no row.
fn run(tx: &mut Transaction<'_>, slip: &Slip, statement: &Statement, values: &Values) -> Result<Values, Failure> {
    let text = statement.with(values).map_err(|name| {
        let file = slip.sql.as_deref().map(|p| p.display().to_string()).unwrap_or_default();
        let reason =
            format!("line {}: ':{name}' is no column of the slip, and no statement before returned it", statement.line);
        Failure::Ours(Error::usage(format!("use '{file}' for slips '{}'", slip.kind), reason))
    })?;
    let (mut found, mut rows, mut touched) = (Values::new(), 0, 0);
    for message in tx.simple_query(&text)? {
        match message {
            SimpleQueryMessage::RowDescription(columns) => {
                found.extend(columns.iter().map(|c| (c.name().to_owned(), None)));
            }
            SimpleQueryMessage::Row(row) => {
                rows += 1;
                let value = |n: usize| (row.columns()[n].name().to_owned(), row.get(n).map(str::to_owned));
                found.extend((0..row.len()).map(value));
            }
            SimpleQueryMessage::CommandComplete(count) => touched = count,
            _ => {}
        }
    }
    match &statement.must {
        Some(must) if touched == 0 => {
            Err(Failure::Refused(Refusal { line: None, field: must.field.clone(), reason: must.otherwise.clone() }))
        }
        must if rows > 1 => {
            let field = must.as_ref().map_or("", |m| m.field.as_str());
            Err(Failure::Refused(Refusal::of(
                field,
                "有多条记录符合，无法确定是哪一条",
                "several rows fit it, and one is wanted",
            )))
        }
        _ => Ok(found),
    }
}

/// What every slip has beside its columns.
fn own_values(keyed: &Keyed, slip: &Slip, who: &For<'_>) -> Values {
    let time = |t: NaiveDateTime| Some(t.format("%Y-%m-%d %H:%M:%S").to_string());
    let now = chrono::Utc::now().with_timezone(&who.zone).naive_local();
    [
        ("slip_no", Some(keyed.number.to_string())),
        ("written_at", time(keyed.written_at)),
        ("kind", Some(slip.kind.clone())),
        ("event", who.event.map(str::to_owned)),
        ("keyed_at", time(now)),
        ("keyed_by", Some(who.by.to_owned())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// Everything that was keyed, as text.
pub fn content(keyed: &Keyed) -> String {
    let object = |values: &Values| {
        let value = |v: &Option<String>| v.clone().map_or(Value::Null, Value::String);
        Value::Object(values.iter().map(|(k, v)| (k.clone(), value(v))).collect::<Map<_, _>>())
    };
    let mut all = object(&keyed.values);
    all["written_at"] = Value::String(keyed.written_at.to_string());
    if !keyed.lines.is_empty() {
        all["lines"] = keyed.lines.iter().map(|l| object(&l.values)).collect();
    }
    all.to_string()
}

/// The same number with other content: which columns differ; what they say is for the list of both.
fn conflict(ours: &str, theirs: &str) -> Refusal {
    let parse = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap_or_default();
    let (ours, theirs) = (parse(ours), parse(theirs));
    let differ: Vec<&str> = ours.keys().filter(|k| ours.get(*k) != theirs.get(*k)).map(String::as_str).collect();
    let differ = differ.join(", ");
    Refusal::of(
        "slip_no",
        format!("此单号已补录，内容不同（{differ}）"),
        format!("this number is keyed already with other content ({differ})"),
    )
}

fn twins(client: &mut Client, profile: &Profile, slip: &Slip) -> Result<Vec<Twin>> {
    let catalog = Catalog::read(client)?;
    let mut list = Vec::new();
    for (name, value) in &slip.twins {
        let doing = || format!("look for twins of slips '{}'", slip.kind);
        let entry = profile.table(name).filter(|t| !t.same_as.is_empty()).ok_or_else(|| {
            Error::usage(doing(), format!("'{name}' is no table of the profile with same_as"))
                .hint("say in its [[table]] which columns make two rows the same, or take it out of 'twins'.")
        })?;
        let described =
            catalog.get(name).ok_or_else(|| Error::usage(doing(), format!("there is no table '{name}'")))?;
        let key = if entry.key.is_empty() { described.primary_key().unwrap_or_default() } else { &entry.key[..] };
        let [key] = key else {
            return Err(Error::usage(doing(), format!("the key of '{name}' has {} columns (expected one)", key.len())));
        };
        list.push(Twin {
            table: name.sql(),
            shown: name.to_string(),
            key: key.clone(),
            columns: entry.same_as.clone(),
            value: value.clone(),
        });
    }
    Ok(list)
}

fn unlike_others(tx: &mut Transaction<'_>, twin: &Twin, values: &Values) -> Result<(), Failure> {
    let Some(Some(value)) = values.get(&twin.value) else { return Ok(()) };
    let context = context! { table => &twin.table, key => &twin.key, value, columns => &twin.columns };
    let text = sql::render(crate::sql!("paper/twin.sql"), context).map_err(Failure::Ours)?;
    let Some(row) = tx.query_opt(&text, &[])? else { return Ok(()) };
    let (other, shown) = (row.get::<_, String>(0), &twin.shown);
    Err(Failure::Refused(Refusal::of(
        "slip_no",
        format!("{shown} 中已有相同的业务（{} = {other}）：窗口已录入，或主库已有", twin.key),
        format!("{shown} has the same already ({} = {other}): keyed at a window, or on the primary", twin.key),
    )))
}

/// A slip that a database has.
#[derive(Debug, Clone)]
pub struct Known {
    pub slip_no: String,
    pub hash: String,
    /// Everything that was keyed: a JSON object.
    pub content: String,
}

/// Which of these slips the database has: what became of an import that nobody saw the end of, or was keyed before.
pub fn known(client: &mut Client, numbers: &[Number]) -> Result<Vec<Known>> {
    let there: bool =
        client.query_one(crate::sql!("paper/there.sql"), &[]).cannot("look for paper slips in the database")?.get(0);
    if !there {
        return Ok(Vec::new());
    }
    let names: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    let rows =
        client.query(crate::sql!("paper/known.sql"), &[&names]).cannot("look for paper slips in the database")?;
    Ok(rows.iter().map(|r| Known { slip_no: r.get(0), hash: r.get(1), content: r.get(2) }).collect())
}

/// The fields in which a slip and what was keyed under its number before differ, with both. Lines are compared as a whole.
pub fn differing(keyed: &Keyed, slip: &Slip, there: &str) -> Vec<Disagreement> {
    let parse = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap_or_default();
    let (ours, theirs) = (parse(&content(keyed)), parse(there));
    let text = |values: &Map<String, Value>, field: &str| match values.get(field) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let own = ["written_at", "lines"].into_iter();
    let fields = own.chain(slip.columns.iter().filter(|c| !c.line).map(|c| c.field.as_str()));
    let both = fields.map(|field| (field, text(&ours, field), text(&theirs, field)));
    both.filter(|(_, first, second)| first != second)
        .map(|(field, first, second)| Disagreement {
            number: keyed.number.clone(),
            line: keyed.line,
            second_line: None,
            field: field.to_owned(),
            first,
            second,
        })
        .collect()
}

/// Values of a column that are nowhere in the table that it is looked up in.
pub fn unknown(client: &mut Client, lookup: &(crate::catalog::Name, String), values: &[String]) -> Result<Vec<String>> {
    let (table, column) = lookup;
    let text = sql::render(crate::sql!("paper/lookup.sql"), context! { table => table.sql(), column })?;
    let rows = client.query(&text, &[&values]).cannot(format!("look up '{table}.{column}'"))?;
    let found: std::collections::BTreeSet<String> = rows.iter().map(|r| r.get(0)).collect();
    Ok(values.iter().filter(|v| !found.contains(*v)).cloned().collect())
}
