//! Money in the drawer without a record, and refunds paid out without one: units that took or gave money and are held or
//! rejected (应退患者, 应收回).

use crate::db::Client;
use crate::error::{Cannot, Error, Result};
use crate::merge::ledger;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;

/// Who is owed, unless the unit is merged after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Owed {
    /// Taken from a patient: to be given back (应退患者).
    Patient,
    /// Paid out to a patient: to be got back (应收回).
    Hospital,
}

/// An amount of one money column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Amount {
    pub table: String,
    pub column: String,
    pub amount: Decimal,
}

/// One unit whose money the primary does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loose {
    pub unit: String,
    /// held or rejected.
    pub status: String,
    pub owed: Owed,
    pub money: Vec<Amount>,
    pub at: Option<DateTime<Utc>>,
    pub user: Option<String>,
    pub application: Option<String>,
    pub address: Option<String>,
    /// What a person said became of the money of a rejected unit: refunded, kept or none.
    pub settled: Option<String>,
    pub by: Option<String>,
    pub why: Option<String>,
}

impl Loose {
    /// Nobody has said yet that the money is where it belongs.
    #[must_use]
    pub fn open(&self) -> bool {
        !matches!(self.settled.as_deref(), Some("refunded" | "none"))
    }
}

/// The list, of one event or of all.
pub fn drawer(client: &mut Client, event: Option<&str>) -> Result<Vec<Loose>> {
    let doing = "list the money of held and rejected units";
    let mut list: Vec<Loose> = Vec::new();
    if !ledger::is_there(client)? {
        return Ok(list);
    }
    for row in client.query(crate::sql!("merge/reconcile/drawer.sql"), &[&event]).cannot(doing)? {
        let unit: String = row.get(0);
        let amount: Decimal = row.get::<_, &str>(4).parse().map_err(|e| Error::failed(doing, e))?;
        let amount = Amount { table: row.get(2), column: row.get(3), amount };
        match list.last_mut() {
            Some(same) if same.unit == unit => same.money.push(amount),
            _ => list.push(Loose {
                unit,
                status: row.get(1),
                owed: Owed::Patient,
                money: vec![amount],
                at: row.get(5),
                user: row.get(6),
                application: row.get(7),
                address: row.get(8),
                settled: row.get(9),
                by: row.get(10),
                why: row.get(11),
            }),
        }
    }
    for loose in &mut list {
        // A document's columns go one way; where they do not, the largest amount says which.
        let largest = loose.money.iter().max_by_key(|m| m.amount.abs());
        if largest.is_some_and(|m| m.amount.is_sign_negative()) {
            loose.owed = Owed::Hospital;
        }
        // Only of a rejected unit has anybody decided anything.
        if loose.status == "held" {
            (loose.settled, loose.by, loose.why) = (None, None, None);
        }
    }
    Ok(list)
}
