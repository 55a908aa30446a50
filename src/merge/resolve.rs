//! `resolve`: a person's decision about one conflict, recorded and carried out.

use super::conflicts::{self, Detail};
use super::{Account, Primary, account, connect, ledger, merge_all, session};
use crate::catalog::Name;
use crate::cli::Site;
use crate::db::{Client, sql};
use crate::error::{Cannot, Error, Result};
use crate::store::{Kind, State};
use minijinja::{Value as Data, context};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

/// Whose side a conflict is decided for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Take {
    Standby,
    Primary,
    /// Our row, or the parent it refers to, is the primary's row of this key.
    Link(Map<String, Value>),
}

impl Take {
    /// `standby`, `primary`, or `link=KEY` with the key as a JSON object.
    pub fn parse(text: &str) -> Result<Take, String> {
        match text.split_once('=') {
            None if text == "standby" => Ok(Take::Standby),
            None if text == "primary" => Ok(Take::Primary),
            Some(("link", key)) => match serde_json::from_str(key) {
                Ok(Value::Object(key)) if !key.is_empty() => Ok(Take::Link(key)),
                _ => Err(format!("KEY is {key} (expected a JSON object such as {{\"id\":\"17\"}})")),
            },
            _ => Err(format!("it is '{text}' (expected standby, primary or link=KEY)")),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Take::Standby => "standby",
            Take::Primary => "primary",
            Take::Link(_) => "link",
        }
    }
}

/// A decision as it is given.
#[derive(Debug, Clone)]
pub struct Decision {
    pub id: i64,
    pub take: Take,
    pub why: String,
    /// What became of the money that a rejected unit took: refunded, kept or none.
    pub money: Option<String>,
}

/// What became of the unit.
#[derive(Debug, Clone)]
pub struct Resolved {
    pub unit: String,
    pub kind: String,
    /// merged, held (another conflict or another unit still holds it) or rejected.
    pub status: String,
    pub event: String,
    pub account: Account,
}

/// Checks the decision, and unless `dry_run` records it and merges what it sets free.
pub fn resolve(site: &Site, decision: &Decision, dry_run: bool) -> Result<Resolved> {
    let _lock = site.store.lock(Kind::Merge, &site.by)?;
    let mut client = connect(site)?;
    let primary = session(&mut client)?;
    let detail = conflicts::one(&mut client, decision.id)?;
    let event = detail.conflict.unit.split('/').next().unwrap_or_default().to_owned();
    let mut resolved = Resolved {
        unit: detail.conflict.unit.clone(),
        kind: detail.conflict.kind.clone(),
        status: detail.status.clone(),
        event: event.clone(),
        account: account(site, &mut client, &event)?,
    };
    if let Some((take, by, _)) = &detail.decided {
        if take == decision.take.name() {
            // A run that was killed may have recorded it and not carried it out.
            if !dry_run {
                carry_out(site, &mut client, &primary, decision, &detail, &mut resolved)?;
            }
            return Ok(resolved);
        }
        return Err(refuse(
            decision,
            format!("it was decided for '{take}' already, by {}", by.as_deref().unwrap_or("the table's policy")),
        )
        .hint("a decision is not taken back; correct the row on the primary by hand, and say so to finance."));
    }
    require_sensible(decision, &detail)?;
    require_unchanged(site, &mut client, &primary, decision, &detail)?;
    let link = match &decision.take {
        Take::Link(key) => Some(Link::find(site, &mut client, &primary, decision, &detail, key)?),
        _ => None,
    };
    if dry_run {
        return Ok(resolved);
    }
    let mut tx = client.transaction().cannot("record the decision")?;
    let to = if let Take::Link(key) = &decision.take { Some(Value::from(key.clone()).to_string()) } else { None };
    tx.execute(crate::sql!("merge/decision.sql"), &[&decision.id, &decision.take.name(), &to, &site.by, &decision.why])
        .cannot("record the decision")?;
    if decision.take == Take::Primary {
        let money = decision.money.as_deref();
        tx.execute(crate::sql!("merge/reject.sql"), &[&decision.id, &site.by, &decision.why, &money])
            .cannot("record the rejection")?;
    }
    if let Some(link) = link {
        link.record(&mut tx, decision.id)?;
    }
    tx.commit().cannot("record the decision")?;
    carry_out(site, &mut client, &primary, decision, &detail, &mut resolved)?;
    Ok(resolved)
}

/// Merges what a recorded decision sets free, and notes it in the journal. Done once or twice, it ends the same.
fn carry_out(
    site: &Site,
    client: &mut Client,
    primary: &Primary,
    decision: &Decision,
    detail: &Detail,
    resolved: &mut Resolved,
) -> Result<()> {
    // What is merged stays merged; what was rejected still sets free, or holds, what depends on it.
    if detail.status != "merged" {
        merge_all(site, client, &[], primary)?;
    }
    resolved.status = unit_status(client, decision.id)?;
    if decision.take != Take::Primary && resolved.status == "held" {
        require_settled(client, decision, detail)?;
    }
    let (unit, take, status) = (&resolved.unit, decision.take.name(), &resolved.status);
    let told =
        json!({ "conflict": decision.id, "unit": unit, "take": take, "status": status, "money": decision.money });
    site.store.journal().write_once(&site.by, "resolve", &resolved.event, "conflict", told)?;
    let seen = ledger::last_run(client)?;
    State::update(&site.store, |s| s.merge_run = s.merge_run.max(seen))?;
    resolved.account = account(site, client, &resolved.event)?;
    Ok(())
}

fn refuse(decision: &Decision, reason: impl std::fmt::Display) -> Error {
    Error::refused(format!("take '{}' for the conflict '{}'", decision.take.name(), decision.id), reason)
}

fn unit_status(client: &mut Client, id: i64) -> Result<String> {
    let row = client.query_one(crate::sql!("merge/conflict.sql"), &[&id]).cannot("read the merge ledger")?;
    Ok(row.get("status"))
}

/// The table of the contract (design, section 6): which kind can be decided how.
fn require_sensible(decision: &Decision, detail: &Detail) -> Result<()> {
    let c = &detail.conflict;
    if detail.status != "held" {
        return Err(refuse(decision, format!("its unit is {} already", detail.status))
            .hint("there is nothing to decide: his-merge status."));
    }
    let word = match (c.kind.as_str(), &decision.take) {
        ("depends", _) => {
            return Err(refuse(decision, &c.reason).hint(
                "decide the conflict of that unit; this one follows by itself. his-merge conflicts lists both.",
            ));
        }
        ("unique", Take::Standby) => {
            return Err(refuse(decision, "the row in the way is never removed").hint(
                "change that row on the primary if it is wrong and give --take standby to a new conflict, say link=KEY if it is the same one, or --take primary.",
            ));
        }
        ("unique" | "parent" | "twin", Take::Link(_)) if c.table.is_some() => None,
        (kind, Take::Link(_)) => Some(kind),
        _ => None,
    };
    if let Some(kind) = word {
        return Err(Error::usage(
            format!("take 'link' for the conflict '{}'", decision.id),
            format!("it is of the kind '{kind}' (expected unique, parent or twin)"),
        )
        .hint("use --take standby or --take primary."));
    }
    match (&decision.take, &decision.money) {
        (Take::Primary, None) if !detail.money.is_empty() => {
            let list: Vec<String> = detail.money.iter().map(|(t, c, a)| format!("{a} in {c} of {t}")).collect();
            Err(Error::usage(
                format!("reject the unit '{}'", c.unit),
                format!("it has money ({}), and nothing says what became of it", list.join(", ")),
            )
            .hint("add --money refunded (given back), kept (in the drawer, to be booked by hand) or none (it never changed hands)."))
        }
        (Take::Primary, _) | (_, None) => Ok(()),
        (_, Some(_)) => Err(Error::usage(
            format!("resolve the conflict '{}'", decision.id),
            "--money goes with --take primary only",
        )),
    }
}

/// What the person has looked at must still be so.
fn require_unchanged(
    site: &Site,
    client: &mut Client,
    primary: &Primary,
    decision: &Decision,
    detail: &Detail,
) -> Result<()> {
    let c = &detail.conflict;
    let (Some(table), false) = (&c.table, matches!(c.kind.as_str(), "parent" | "rule" | "depends")) else {
        return Ok(());
    };
    let name = Name::parse(table)?;
    let key = match &c.primary {
        Value::Object(row) => {
            key_of(site, primary, &name).into_iter().filter_map(|k| Some((k.clone(), row.get(&k)?.clone()))).collect()
        }
        _ => c.key.as_object().cloned().unwrap_or_default(),
    };
    let columns: Vec<String> = c.standby["new"]
        .as_object()
        .or_else(|| c.standby["old"].as_object())
        .map(|o| o.keys().cloned().collect())
        .unwrap_or_default();
    let now = row_of(client, primary, &name, &key, &columns)?.map_or(Value::Null, Value::from);
    if now == c.primary {
        return Ok(());
    }
    let text = (!now.is_null()).then(|| now.to_string());
    client
        .execute(crate::sql!("merge/conflict_seen.sql"), &[&decision.id, &text])
        .cannot("note what the primary has now")?;
    let was = |v: &Value, k: &String| v.get(k).cloned().unwrap_or(Value::Null);
    let changed: Vec<&String> = columns.iter().filter(|k| was(&now, k) != was(&c.primary, k)).collect();
    let what = match (&now, &c.primary) {
        (Value::Null, _) => "the row is gone from the primary meanwhile".to_owned(),
        (_, Value::Null) => "the row is back on the primary meanwhile".to_owned(),
        _ => format!(
            "the primary has changed it meanwhile ({})",
            changed.iter().map(|k| k.as_str()).collect::<Vec<_>>().join(", ")
        ),
    };
    Err(refuse(decision, what).hint(format!("look at it again and decide then: his-merge conflicts {}", decision.id)))
}

/// A decision that does not let its own conflict go is taken back: it is asked about as it stands now.
fn require_settled(client: &mut Client, decision: &Decision, detail: &Detail) -> Result<()> {
    let row = client
        .query_opt(
            crate::sql!("merge/still_conflict.sql"),
            &[&detail.conflict.unit, &detail.conflict.kind, &detail.conflict.rule],
        )
        .cannot("see what became of the unit")?;
    let Some(row) = row else { return Ok(()) };
    let reason: String = row.get(0);
    client.execute(crate::sql!("merge/undecide.sql"), &[&decision.id, &reason]).cannot("take the decision back")?;
    Err(refuse(decision, format!("it still does not fit ({reason})")).hint(
        "settle that on the primary first, then give the same command again; or --take primary rejects the unit.",
    ))
}

/// Columns of a table's key, by the profile or the primary.
fn key_of(site: &Site, primary: &Primary, name: &Name) -> Vec<String> {
    let named = site.profile.table(name).map(|t| t.key.clone()).filter(|k| !k.is_empty());
    named
        .or_else(|| primary.catalog.get(name).and_then(|t| t.primary_key().map(<[String]>::to_vec)))
        .unwrap_or_default()
}

/// A row of the primary by its key, values as text under pinned settings.
fn row_of(
    client: &mut Client,
    primary: &Primary,
    name: &Name,
    key: &Map<String, Value>,
    columns: &[String],
) -> Result<Option<Map<String, Value>>> {
    let doing = || format!("read the row of '{name}' on the primary");
    let table = primary.catalog.get(name).ok_or_else(|| Error::refused(doing(), "the primary has no such table"))?;
    let mut parts: Vec<Data> = Vec::new();
    for (column, value) in key {
        let described = table.column(column).ok_or_else(|| {
            Error::usage(doing(), format!("it has no column '{column}'"))
                .hint("KEY names the columns of the table's key.")
        })?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        parts.push(context! { name => column, type => described.base_type.clone(), value => text });
    }
    let text = sql::render(
        crate::sql!("merge/row.sql"),
        context! { table => name.sql(), key => parts, columns => columns.to_vec() },
    )?;
    let mut tx = client.transaction().cannot(doing())?;
    tx.batch_execute(crate::sql!("export/pins.sql")).cannot(doing())?;
    tx.query(crate::sql!("merge/own_path.sql"), &[&primary.own.search_path]).cannot(doing())?;
    let row = tx.query_opt(&text, &[]).cannot(doing())?;
    tx.commit().cannot(doing())?;
    row.map(|r| serde_json::from_str(r.get(0)).cannot(doing())).transpose()
}

/// What a `link` means for the rows that are merged.
struct Link {
    unit: String,
    seq: i64,
    table: String,
    columns: Vec<String>,
    ours: Vec<Option<String>>,
    theirs: Vec<Option<String>>,
    counters: bool,
    units: Option<Vec<String>>,
}

impl Link {
    /// Finds the row that was named, and that it may stand for ours.
    fn find(
        site: &Site,
        client: &mut Client,
        primary: &Primary,
        decision: &Decision,
        detail: &Detail,
        key: &Map<String, Value>,
    ) -> Result<Link> {
        let c = &detail.conflict;
        let doing = || format!("link the conflict '{}' to {}", decision.id, Value::from(key.clone()));
        let own = Name::parse(c.table.as_deref().unwrap_or_default())?;
        let new = c.standby["new"].as_object().cloned().unwrap_or_default();
        let text = |v: Option<&Value>| v.and_then(Value::as_str).map(str::to_owned);
        let row = client.query_one(crate::sql!("merge/conflict.sql"), &[&decision.id]).cannot(doing())?;
        let seq: i64 = row.get::<_, Option<i64>>("seq").unwrap_or(0);
        let not_there = |name: &Name| {
            Error::usage(doing(), format!("'{name}' has no such row on the primary"))
                .hint("KEY is the key of the row there, such as {\"id\":\"17\"}; his-merge conflicts shows the row that is in the way.")
        };
        if c.kind == "parent" {
            let described = primary.catalog.get(&own).ok_or_else(|| not_there(&own))?;
            let guard = c.rule.strip_prefix("guard ");
            let through = described
                .foreign_keys
                .iter()
                .find(|f| f.name == c.rule || guard.is_some_and(|g| f.columns.iter().any(|x| x == g)))
                .ok_or_else(|| {
                    Error::usage(doing(), "this conflict is not about a reference of its own row to another")
                        .hint("use --take standby after the other rows are settled, or --take primary.")
                })?;
            let parent = through.to();
            let there =
                row_of(client, primary, &parent, key, &through.to_columns)?.ok_or_else(|| not_there(&parent))?;
            let mut units = c.holds.clone();
            units.push(c.unit.clone());
            return Ok(Link {
                unit: c.unit.clone(),
                seq: 0,
                table: primary
                    .catalog
                    .get(&parent)
                    .map_or_else(|| parent.to_string(), |t| primary.catalog.root(t).name.to_string()),
                columns: through.to_columns.clone(),
                ours: through.columns.iter().map(|k| text(new.get(k))).collect(),
                theirs: through.to_columns.iter().map(|k| text(there.get(k))).collect(),
                counters: false,
                units: Some(units),
            });
        }
        let all: Vec<String> = new.keys().cloned().collect();
        let there = row_of(client, primary, &own, key, &all)?.ok_or_else(|| not_there(&own))?;
        let entry = site.profile.table(&own);
        let (same_as, money) = entry.map_or((&[][..], &[][..]), |t| (&t.same_as[..], &t.money[..]));
        let equal = |k: &String| {
            let (a, b) = (text(new.get(k)), text(there.get(k)));
            let number = |t: &Option<String>| t.as_ref().and_then(|t| t.parse::<Decimal>().ok());
            a == b || number(&a).is_some() && number(&a) == number(&b)
        };
        if let Some(column) = same_as.iter().chain(money).find(|k| !equal(k)) {
            let shown = |v: Option<&Value>| text(v).unwrap_or_else(|| "nothing".to_owned());
            return Err(refuse(decision, format!("the two rows differ in '{column}' ({} on the standby, {} on the primary)", shown(new.get(column)), shown(there.get(column))))
                .hint("a row with money stands only for its equal: --take standby keeps both, --take primary rejects the unit and says what became of the money."));
        }
        Ok(Link {
            unit: c.unit.clone(),
            seq,
            table: c.table.clone().unwrap_or_default(),
            ours: all.iter().map(|k| text(new.get(k))).collect(),
            theirs: all.iter().map(|k| text(there.get(k))).collect(),
            columns: all,
            counters: !(same_as.is_empty() && money.is_empty()),
            units: None,
        })
    }

    fn record(&self, tx: &mut crate::db::Transaction<'_>, conflict: i64) -> Result<()> {
        tx.execute(
            crate::sql!("merge/record_link.sql"),
            &[
                &self.unit,
                &self.seq,
                &self.table,
                &self.columns,
                &self.ours,
                &self.theirs,
                &self.counters,
                &self.units,
                &conflict,
            ],
        )
        .cannot("record the link")
        .map(drop)
    }
}
