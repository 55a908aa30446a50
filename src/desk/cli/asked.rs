//! From flags to what the contract is asked.

use super::arguments::{Approver, Bill, Callback, Command, Ending, Paid, Patient, Person, Shift};
use super::secret;
use crate::desk::act::{Act, with};
use crate::error::{Error, Result};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

/// The act and its ask, as the flags say it.
pub(super) fn asked(command: &Command) -> Result<(Act, Map<String, Value>)> {
    let (act, ask) = match command {
        Command::Shift(Shift::Open { last_printed }) => (Act::OpenShift, json!({ "last_printed": last_printed })),
        Command::Shift(Shift::Show) => (Act::Shift, json!({})),
        Command::Shift(Shift::Close { counted }) => (Act::CloseShift, json!({ "counted": counted })),
        Command::Shift(Shift::Handover) => (Act::Handover, json!({})),
        Command::Patient(Patient::Find { text, by }) => (Act::FindPatient, json!({ "text": text, "by": by })),
        Command::Patient(Patient::New { unknown, person }) => {
            (Act::NewPatient, with(json!({ "unknown": unknown }), person_json(person)))
        }
        Command::Patient(Patient::Complete { patient, address, person }) => {
            (Act::CompletePatient, with(json!({ "patient": patient, "address": address }), person_json(person)))
        }
        Command::Schedules { department } => (Act::ListSchedules, json!({ "department": department })),
        Command::Appointments { patient } => (Act::ListAppointments, json!({ "patient": patient })),
        Command::Register { patient, schedule, appointment, again, paper_no, paid } => {
            let ask = json!({
                "patient": patient, "schedule": schedule, "appointment": appointment, "paper_no": paper_no,
                "again": again.then_some(true),
            });
            (Act::Register, with(ask, paid_json(paid)?))
        }
        Command::Cancel { registration, reason, approver } => (
            Act::CancelRegistration,
            with(json!({ "registration": registration, "reason": reason }), approver_json(approver)?),
        ),
        Command::Orders { patient } => (Act::FindOrders, json!({ "patient": patient })),
        Command::Prices { text } => (Act::PriceSearch, json!({ "text": text })),
        Command::Quote(bill) => (Act::Quote, bill_json(bill)?),
        Command::Charge { bill, expect } => (Act::Charge, with(bill_json(bill)?, json!({ "expect": expect }))),
        Command::PaidOnPaper { order, patient, paper_no } => {
            (Act::PaidOnPaper, json!({ "order": order, "patient": patient, "paper_no": paper_no }))
        }
        Command::Charges { patient, number } => (Act::FindCharges, json!({ "patient": patient, "number": number })),
        Command::Refund { charge, lines, reason, approver } => {
            let ask = json!({ "charge": charge, "lines": chosen(lines), "reason": reason });
            (Act::Refund, with(ask, approver_json(approver)?))
        }
        Command::Refunds(Ending::List) => (Act::RefundsDue, json!({})),
        Command::Refunds(Ending::End { id, how, note }) => {
            (Act::EndRefundDue, json!({ "id": id, "as": how, "note": note }))
        }
        Command::Insurance(Ending::List) => (Act::InsuranceList, json!({})),
        Command::Insurance(Ending::End { id, how, note }) => {
            (Act::EndInsurance, json!({ "charge": id, "as": how, "note": note }))
        }
        Command::ToPrint => (Act::ToPrint, json!({})),
        Command::Spoil { charge, why } => (Act::SpoilForm, json!({ "charge": charge, "why": why })),
        Command::Forms { prefix, first, last, approver } => {
            let ask = json!({ "prefix": prefix, "first": first, "last": last });
            (Act::IssueForms, with(ask, approver_json(approver)?))
        }
        Command::Paid { department } => (Act::PaidOrders, json!({ "department": department })),
        Command::Done { order, lines } => (Act::ConfirmDone, json!({ "order": order, "lines": chosen(lines) })),
        Command::Callback(Callback::List) => (Act::Callbacks, json!({})),
        Command::Callback(Callback::Ask { patient, about, phone }) => {
            (Act::AskCallback, json!({ "patient": patient, "about": about, "phone": phone }))
        }
        Command::Callback(Callback::Done { id }) => (Act::CallbackDone, json!({ "id": id })),
        Command::Queue { department } => (Act::Queue, json!({ "department": department })),
        Command::Standing | Command::Print { .. } | Command::Script { .. } => (Act::Standing, json!({})),
    };
    // What was not said is not there, so that the contract sees its own defaults.
    let ask = ask.as_object().cloned().unwrap_or_default();
    Ok((act, ask.into_iter().filter(|(_, v)| !v.is_null()).collect()))
}

fn chosen(lines: &[i32]) -> Option<&[i32]> {
    (!lines.is_empty()).then_some(lines)
}

fn person_json(p: &Person) -> Value {
    json!({
        "name": p.name, "initials": p.initials, "sex": p.sex, "birth_date": p.birth_date, "id_no": p.id_no,
        "phone": p.phone, "category": p.category, "insurance_no": p.insurance_no,
    })
}

fn approver_json(a: &Approver) -> Result<Value> {
    let secret = secret(a.approver_secret_file.as_deref(), "HIS_DESK_APPROVER_SECRET")?;
    Ok(json!({ "approver": a.approver, "approver_secret": secret }))
}

fn bill_json(bill: &Bill) -> Result<Value> {
    let items = bill
        .items
        .iter()
        .map(|text| {
            let (code, quantity) = text.split_once('*').unwrap_or((text, "1"));
            let quantity: Decimal = quantity.parse().map_err(|_| {
                Error::usage(format!("charge '{text}'"), "the quantity is no number")
                    .hint("expected CODE or CODE*QUANTITY.")
            })?;
            Ok(json!({ "code": code, "quantity": quantity }))
        })
        .collect::<Result<Vec<Value>>>()?;
    let ask = json!({ "registration": bill.registration, "orders": bill.orders, "items": items });
    Ok(with(ask, paid_json(&bill.paid)?))
}

fn paid_json(paid: &Paid) -> Result<Value> {
    let payments = paid.pay.iter().map(|text| payment(text, paid.card.as_deref())).collect::<Result<Vec<Value>>>()?;
    let payments = (!payments.is_empty()).then_some(payments);
    Ok(json!({ "payments": payments, "tendered": paid.tendered, "insured": paid.insured }))
}

/// METHOD, METHOD=AMOUNT, METHOD/REFERENCE or METHOD=AMOUNT/REFERENCE.
fn payment(text: &str, card: Option<&str>) -> Result<Value> {
    let (rest, reference) = match text.split_once('/') {
        Some((rest, reference)) => (rest, Some(reference)),
        None => (text, None),
    };
    let (method, amount) = match rest.split_once('=') {
        Some((method, amount)) => (method, Some(amount)),
        None => (rest, None),
    };
    let amount = amount.map(str::parse::<Decimal>).transpose().map_err(|_| {
        Error::usage(format!("take the payment '{text}'"), "the amount is no number")
            .hint("expected METHOD, METHOD=AMOUNT or METHOD=AMOUNT/REFERENCE.")
    })?;
    let mut pay = Map::new();
    pay.insert("method".to_owned(), json!(method));
    if let Some(amount) = amount {
        pay.insert("amount".to_owned(), json!(amount));
    }
    if let Some(reference) = reference {
        pay.insert("reference".to_owned(), json!(reference));
    }
    if let Some(card) = card.filter(|_| method == "CARD") {
        pay.insert("card".to_owned(), json!(card));
    }
    Ok(Value::Object(pay))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;

    #[test]
    fn a_payment_is_a_method_with_or_without_amount_and_reference() {
        let read = |text| payment(text, Some("C1")).expect("it is well formed");
        assert_eq!(read("CASH"), json!({ "method": "CASH" }));
        assert_eq!(
            read("WECHAT=10.50/420000"),
            json!({ "method": "WECHAT", "amount": "10.50", "reference": "420000" })
        );
        assert_eq!(read("BANK/7/8"), json!({ "method": "BANK", "reference": "7/8" }));
        assert_eq!(read("CARD=3"), json!({ "method": "CARD", "amount": "3", "card": "C1" }));
        assert_eq!(payment("CASH=ten", None).expect_err("no number").exit(), Exit::Usage);
    }
}
