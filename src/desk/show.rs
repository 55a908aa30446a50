//! Answers as a person reads them: what stands alone as lines, lists as tables.

use super::act::Act;
use super::words::label;
use crate::clock;
use crate::profile::Profile;
use chrono::DateTime;
use comfy_table::{Table, presets};
use serde_json::{Map, Value};

/// What of a list is shown, in this order; the rest is in the JSON.
fn columns(act: Act) -> &'static [&'static str] {
    match act {
        Act::FindPatient => {
            &["patient", "record_no", "name", "sex", "age", "phone", "category_name", "card", "balance"]
        }
        Act::ListSchedules => &["schedule", "session", "department", "doctor", "level", "fee", "left"],
        Act::ListAppointments => &["appointment", "from", "to", "patient", "name", "department", "doctor"],
        Act::FindOrders => &["order", "kind", "department", "doctor", "registration", "amount"],
        Act::PriceSearch => &["code", "name", "spec", "unit", "price", "class"],
        Act::PaidOrders => &["order", "kind", "record_no", "name", "doctor", "paper_no"],
        Act::Queue => &["queue_no", "name", "department", "doctor", "session"],
        Act::Callbacks => &["id", "name", "phone", "about", "asked_at"],
        Act::RefundsDue => &["id", "charge", "number", "name", "phone", "amount", "cause", "reason"],
        Act::InsuranceList => &["charge", "number", "name", "phone", "mode", "amount"],
        Act::FindCharges | Act::ToPrint | Act::Register | Act::Charge | Act::Refund | Act::CancelRegistration => {
            &["charge", "number", "form", "kind", "record_no", "name", "paid", "status"]
        }
        _ => &["name", "count", "amount", "paid", "department", "doctor", "queue_no"],
    }
}

/// The text of an answer.
pub fn answer(profile: &Profile, act: Act, answer: &Value) -> String {
    let english = profile.site.language == "en";
    let Some(fields) = answer.as_object() else { return String::new() };
    let mut text = String::new();
    for (key, value) in fields {
        if let Some(shown) = plain(profile, value).filter(|_| key != "session") {
            text += &format!("{}: {shown}\n", label(key, english));
        }
    }
    for (key, value) in fields {
        let rows: Vec<&Map<String, Value>> =
            value.as_array().into_iter().flatten().filter_map(Value::as_object).collect();
        if rows.is_empty() {
            continue;
        }
        let shown: Vec<&str> =
            columns(act).iter().copied().filter(|c| rows.iter().any(|r| r.contains_key(*c))).collect();
        text += &format!("{}:\n", label(key, english));
        let cells = rows.iter().map(|row| {
            shown
                .iter()
                .map(|c| row.get(*c).and_then(|v| plain(profile, v)).unwrap_or_default())
                .collect::<Vec<String>>()
        });
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(shown.iter().map(|c| label(c, english)));
        table.add_rows(cells);
        text += &format!("{table}\n");
    }
    if text.is_empty() { (if english { "none\n" } else { "无\n" }).to_owned() } else { text }
}

/// A value in one line; lists and empty ones have none.
fn plain(profile: &Profile, value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(match DateTime::parse_from_rfc3339(text) {
            Ok(time) => clock::full(clock::zone(&profile.site), time.to_utc()),
            Err(_) => text.clone(),
        }),
        Value::Array(list) => {
            let words: Option<Vec<String>> = list.iter().map(|v| plain(profile, v)).collect();
            words.filter(|w| !w.is_empty()).map(|w| w.join(", "))
        }
        Value::Object(fields) => {
            let words: Vec<String> =
                fields.iter().filter_map(|(k, v)| Some(format!("{k} {}", plain(profile, v)?))).collect();
            Some(words.join(", ")).filter(|_| fields.len() < 6 && fields.values().all(|v| !v.is_array()))
        }
        other => Some(other.to_string()),
    }
}
