//! The command line of `his-desk`: each act of a window as a subcommand. Without one, the full screen.

use super::act::Act;
use super::line::{Cashier, Line};
use super::{script, show, voucher};
use crate::cli::{self, Common, Outcome};
use crate::db::Windows;
use crate::error::{Cannot, Error, Exit, Result};
use crate::profile::{Printed, Profile};
use clap::{Args, Parser, Subcommand};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use uuid::Uuid;

/// A window of its own: register, charge and print when the HIS client cannot
#[derive(Debug, Parser)]
#[command(name = "his-desk", version)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Who works at which window.
#[derive(Debug, Clone, Args)]
struct Place {
    /// Staff number of the cashier
    #[arg(long, global = true, env = "HIS_DESK_STAFF", value_name = "NUMBER")]
    staff: Option<String>,
    /// The window, such as W03
    #[arg(long, global = true, env = "HIS_DESK_WINDOW", value_name = "NAME")]
    window: Option<String>,
    /// A file with the cashier's secret (or `HIS_DESK_SECRET`)
    #[arg(long, global = true, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// The id of an earlier request that is asked again, so that it is done once
    #[arg(long, global = true, value_name = "UUID")]
    request: Option<Uuid>,
}

/// The second person of a refund or a new roll of receipts.
#[derive(Debug, Clone, Args)]
struct Approver {
    /// Staff number of who approves
    #[arg(long, value_name = "NUMBER")]
    approver: String,
    /// A file with the approver's secret (or `HIS_DESK_APPROVER_SECRET`)
    #[arg(long, value_name = "FILE")]
    approver_secret_file: Option<PathBuf>,
}

/// How something is paid.
#[derive(Debug, Clone, Default, Args)]
struct Paid {
    /// A payment: METHOD, METHOD=AMOUNT, METHOD=AMOUNT/REFERENCE or METHOD/REFERENCE; the one without an amount takes the rest (default: CASH)
    #[arg(long, value_name = "PAYMENT")]
    pay: Vec<String>,
    /// The patient's card, for the method CARD
    #[arg(long, value_name = "NUMBER")]
    card: Option<String>,
    /// The cash that the patient gives
    #[arg(long, value_name = "AMOUNT")]
    tendered: Option<Decimal>,
    /// How an insured patient pays: `self_paid` or `card_left`
    #[arg(long, value_name = "HOW")]
    insured: Option<String>,
}

/// What is charged.
#[derive(Debug, Clone, Args)]
struct Bill {
    /// The registration that it belongs to
    #[arg(long, value_name = "ID")]
    registration: i64,
    /// A doctor's order (repeat)
    #[arg(long = "order", value_name = "ID")]
    orders: Vec<i64>,
    /// An item beside the orders: CODE or CODE*QUANTITY (repeat)
    #[arg(long = "item", value_name = "ITEM")]
    items: Vec<String>,
    #[command(flatten)]
    paid: Paid,
}

/// What is known of a patient.
#[derive(Debug, Clone, Args)]
struct Person {
    /// Name
    #[arg(long)]
    name: Option<String>,
    /// Initials of the name (拼音码)
    #[arg(long)]
    initials: Option<String>,
    /// Sex as the HIS codes it
    #[arg(long)]
    sex: Option<String>,
    /// Date of birth
    #[arg(long, value_name = "DATE")]
    birth_date: Option<String>,
    /// Identity number
    #[arg(long, value_name = "NUMBER")]
    id_no: Option<String>,
    /// Telephone
    #[arg(long)]
    phone: Option<String>,
    /// Settlement category (费别)
    #[arg(long)]
    category: Option<String>,
    /// Insurance number
    #[arg(long, value_name = "NUMBER")]
    insurance_no: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Log in, and say where this window stands: event, data until, shift, forms left
    Standing,
    /// Open, look at and close the cashier's shift
    #[command(subcommand)]
    Shift(Shift),
    /// Find, enter and complete patients
    #[command(subcommand)]
    Patient(Patient),
    /// Today's doctors and the numbers that are left
    Schedules {
        /// Only this department: code or initials
        #[arg(long)]
        department: Option<String>,
    },
    /// Who is booked today and has not come yet
    Appointments {
        /// Only of this patient
        #[arg(long, value_name = "ID")]
        patient: Option<i64>,
    },
    /// Register a patient (挂号)
    Register {
        /// The patient
        #[arg(long, value_name = "ID")]
        patient: i64,
        /// The doctor's schedule
        #[arg(long, value_name = "ID", required_unless_present = "appointment")]
        schedule: Option<i64>,
        /// The appointment that the patient comes for
        #[arg(long, value_name = "ID", conflicts_with = "schedule")]
        appointment: Option<i64>,
        /// Register although the patient is registered there today
        #[arg(long)]
        again: bool,
        /// The number of a paper that shows a registration made before the outage; no money is taken
        #[arg(long, value_name = "NUMBER")]
        paper_no: Option<String>,
        #[command(flatten)]
        paid: Paid,
    },
    /// Cancel a registration (退号)
    Cancel {
        /// The registration
        registration: i64,
        /// Why
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        approver: Approver,
    },
    /// What doctors ordered for a patient and nobody has paid
    Orders {
        /// The patient
        patient: i64,
    },
    /// Prices, by code, name or initials
    Prices {
        /// What to look for
        text: String,
    },
    /// What a charge would come to; nothing is written
    Quote(Bill),
    /// Charge orders and items (收费)
    Charge {
        #[command(flatten)]
        bill: Bill,
        /// The sum that the patient was told; another one is refused
        #[arg(long, value_name = "AMOUNT")]
        expect: Option<Decimal>,
    },
    /// Record that an order was paid before the outage, as a paper shows; no money is taken
    PaidOnPaper {
        /// The order
        order: i64,
        /// The patient
        #[arg(long, value_name = "ID")]
        patient: i64,
        /// The number of the paper
        #[arg(long, value_name = "NUMBER")]
        paper_no: String,
    },
    /// Charges of a patient, or by the number of a voucher
    Charges {
        /// The patient
        #[arg(long, value_name = "ID", required_unless_present = "number")]
        patient: Option<i64>,
        /// Number of a voucher or receipt
        #[arg(long)]
        number: Option<String>,
    },
    /// Refund a charge, whole or by line (退费)
    Refund {
        /// The charge
        charge: i64,
        /// Only this line (repeat)
        #[arg(long = "line", value_name = "NUMBER")]
        lines: Vec<i32>,
        /// Why
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        approver: Approver,
    },
    /// Refunds that were not paid out (待退费), and how they end
    #[command(subcommand)]
    Refunds(Ending),
    /// Insured patients' charges to be settled later (医保补结算), and how they end
    #[command(subcommand)]
    Insurance(Ending),
    /// Print the voucher of a charge (应急收费凭证)
    Print {
        /// The charge
        charge: i64,
        /// Write it to this file and not to the printer
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        /// The paper (default: that of the profile)
        #[arg(long, value_enum, value_name = "PAPER")]
        paper: Option<Printed>,
    },
    /// Charges whose vouchers are not printed yet (待补打)
    ToPrint,
    /// A preprinted form was spoiled: keep its number as void, take the next one
    Spoil {
        /// The charge
        charge: i64,
        /// What happened
        #[arg(long)]
        why: String,
    },
    /// Issue a new roll of preprinted forms to this cashier
    Forms {
        /// Prefix of the roll
        prefix: String,
        /// First number
        first: i64,
        /// Last number
        last: i64,
        #[command(flatten)]
        approver: Approver,
    },
    /// What is paid and waits for a department
    Paid {
        /// The department: code, initials or name
        department: String,
    },
    /// Confirm that an order was handed out or carried out (已发药, 已执行)
    Done {
        /// The order
        order: i64,
        /// Only this line (repeat)
        #[arg(long = "line", value_name = "NUMBER")]
        lines: Vec<i32>,
    },
    /// Patients to be telephoned with results
    #[command(subcommand)]
    Callback(Callback),
    /// Who waits in a department, to be called by voice
    Queue {
        /// The department: code, initials or name
        department: String,
    },
    /// Acts as JSON, one a line, each answered with one line
    Script {
        /// The file (default: standard input)
        file: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum Shift {
    /// Open it (开班)
    Open {
        /// The number of the last receipt that was printed before the outage
        #[arg(long, value_name = "NUMBER")]
        last_printed: Option<i64>,
    },
    /// What the close would say now
    Show,
    /// Close it (班结)
    Close {
        /// The cash in the drawer
        #[arg(long, value_name = "AMOUNT")]
        counted: Decimal,
    },
    /// The hand-over sheet (交接单)
    Handover,
}

#[derive(Debug, Subcommand)]
enum Patient {
    /// By card, record number, identity number, telephone, name or initials
    Find {
        /// What to look for
        text: String,
        /// What the text is: card, `record_no`, `id_no`, phone, name or initials
        #[arg(long = "as", value_name = "WHAT")]
        by: Option<String>,
    },
    /// Enter a new one
    New {
        /// Nothing is known (无名氏)
        #[arg(long)]
        unknown: bool,
        #[command(flatten)]
        person: Person,
    },
    /// Complete what is known of one
    Complete {
        /// The patient
        patient: i64,
        /// Address
        #[arg(long)]
        address: Option<String>,
        #[command(flatten)]
        person: Person,
    },
}

#[derive(Debug, Subcommand)]
enum Ending {
    /// What is open
    List,
    /// How one ended
    End {
        /// Its number in the list
        id: i64,
        /// `paid` or `dropped` for a refund, `settled` or `waived` for insurance
        #[arg(long = "as", value_name = "HOW")]
        how: String,
        /// What to remember of it
        #[arg(long)]
        note: String,
    },
}

#[derive(Debug, Subcommand)]
enum Callback {
    /// Who is to be called
    List,
    /// A patient asks to be called
    Ask {
        /// The patient
        #[arg(long, value_name = "ID")]
        patient: i64,
        /// About what
        #[arg(long)]
        about: String,
        /// The telephone, when it is another one
        #[arg(long)]
        phone: Option<String>,
    },
    /// The patient was told (已通知)
    Done {
        /// Its number in the list
        id: i64,
    },
}

impl cli::Program for Cli {
    fn common(&self) -> &Common {
        &self.common
    }
}

/// All of the program.
#[must_use]
pub fn main() -> ExitCode {
    cli::run::<Cli>(|cli| {
        let profile = Profile::find(cli.common.config.as_deref())?;
        let windows = Windows::parse(&profile.desk.url)?;
        let mut line = Line::new(windows, profile.desk.patience, profile.site.language == "en");
        let Some(command) = &cli.command else {
            return super::screen::run(&profile, line, cli.place.staff.as_deref(), cli.place.window.as_deref());
        };
        line.log_in(cashier(&cli.place)?)?;
        run(&profile, &mut line, cli, command)
    })
}

fn run(profile: &Profile, line: &mut Line, cli: &Cli, command: &Command) -> Result<Outcome> {
    match command {
        Command::Standing => {
            let mut login = line.login.clone();
            login.remove("session");
            let login = Value::Object(login);
            Ok(Outcome::new(login.clone(), show::answer(profile, Act::Login, &login)))
        }
        Command::Print { charge, to, paper } => voucher::print(profile, line, *charge, to.as_deref(), *paper),
        Command::Script { file } => script::run(line, file.as_deref()),
        other => {
            let (act, mut ask) = asked(other)?;
            if let (Some(id), true) = (cli.place.request, act.changes()) {
                ask.insert("request".to_owned(), json!(id.to_string()));
            }
            let answer = line.ask(act, &Value::Object(ask))?;
            let text = show::answer(profile, act, &answer);
            Ok(Outcome::new(answer, text))
        }
    }
}

/// Who is to be logged in; every part may come from the environment, and the secret from nowhere else but a file.
fn cashier(place: &Place) -> Result<Cashier> {
    let missing = |what: &str, hint: &str| Error::usage("log in", format!("{what} is missing")).hint(hint);
    let staff_no = place.staff.clone().ok_or_else(|| missing("--staff", "give --staff or HIS_DESK_STAFF."))?;
    let window = place.window.clone().ok_or_else(|| missing("--window", "give --window or HIS_DESK_WINDOW."))?;
    let secret = secret(place.secret_file.as_deref(), "HIS_DESK_SECRET")?;
    Ok(Cashier { staff_no, secret, window })
}

fn secret(file: Option<&std::path::Path>, variable: &str) -> Result<String> {
    if let Some(file) = file {
        let text = std::fs::read_to_string(file)
            .cannot(format!("read the secret in '{}'", file.display()))
            .map_err(|e| e.with_exit(Exit::Usage))?;
        return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
    }
    std::env::var(variable).map_err(|_| {
        Error::usage("log in", format!("there is no secret ({variable} is not set)"))
            .hint(format!("set {variable}, or name a file of mode 0600 that holds it; a secret is never an argument."))
    })
}

/// The act and its ask, as the flags say it.
fn asked(command: &Command) -> Result<(Act, Map<String, Value>)> {
    let (act, ask) = match command {
        Command::Shift(Shift::Open { last_printed }) => (Act::OpenShift, json!({ "last_printed": last_printed })),
        Command::Shift(Shift::Show) => (Act::Shift, json!({})),
        Command::Shift(Shift::Close { counted }) => (Act::CloseShift, json!({ "counted": counted })),
        Command::Shift(Shift::Handover) => (Act::Handover, json!({})),
        Command::Patient(Patient::Find { text, by }) => (Act::FindPatient, json!({ "text": text, "by": by })),
        Command::Patient(Patient::New { unknown, person }) => {
            (Act::NewPatient, merged(json!({ "unknown": unknown }), person_json(person)))
        }
        Command::Patient(Patient::Complete { patient, address, person }) => {
            (Act::CompletePatient, merged(json!({ "patient": patient, "address": address }), person_json(person)))
        }
        Command::Schedules { department } => (Act::ListSchedules, json!({ "department": department })),
        Command::Appointments { patient } => (Act::ListAppointments, json!({ "patient": patient })),
        Command::Register { patient, schedule, appointment, again, paper_no, paid } => {
            let ask = json!({
                "patient": patient, "schedule": schedule, "appointment": appointment, "paper_no": paper_no,
                "again": again.then_some(true),
            });
            (Act::Register, merged(ask, paid_json(paid)?))
        }
        Command::Cancel { registration, reason, approver } => (
            Act::CancelRegistration,
            merged(json!({ "registration": registration, "reason": reason }), approver_json(approver)?),
        ),
        Command::Orders { patient } => (Act::FindOrders, json!({ "patient": patient })),
        Command::Prices { text } => (Act::PriceSearch, json!({ "text": text })),
        Command::Quote(bill) => (Act::Quote, bill_json(bill)?),
        Command::Charge { bill, expect } => (Act::Charge, merged(bill_json(bill)?, json!({ "expect": expect }))),
        Command::PaidOnPaper { order, patient, paper_no } => {
            (Act::PaidOnPaper, json!({ "order": order, "patient": patient, "paper_no": paper_no }))
        }
        Command::Charges { patient, number } => (Act::FindCharges, json!({ "patient": patient, "number": number })),
        Command::Refund { charge, lines, reason, approver } => {
            let ask = json!({ "charge": charge, "lines": chosen(lines), "reason": reason });
            (Act::Refund, merged(ask, approver_json(approver)?))
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
            (Act::IssueForms, merged(ask, approver_json(approver)?))
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

fn merged(one: Value, other: Value) -> Value {
    let (Value::Object(mut one), Value::Object(other)) = (one, other) else { return Value::Null };
    one.extend(other);
    Value::Object(one)
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
    Ok(merged(ask, paid_json(&bill.paid)?))
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
