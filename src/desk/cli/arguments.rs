//! What his-desk can be told: each act of a window with its flags.

use crate::profile::Printed;
use clap::{Args, Subcommand};
use rust_decimal::Decimal;
use std::path::PathBuf;

/// The second person of a refund or a new roll of receipts.
#[derive(Debug, Clone, Args)]
pub(super) struct Approver {
    /// Staff number of who approves
    #[arg(long, value_name = "NUMBER")]
    pub(super) approver: String,
    /// A file with the approver's secret (or `HIS_DESK_APPROVER_SECRET`)
    #[arg(long, value_name = "FILE")]
    pub(super) approver_secret_file: Option<PathBuf>,
}

/// How something is paid.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Paid {
    /// A payment: METHOD, METHOD=AMOUNT, METHOD=AMOUNT/REFERENCE or METHOD/REFERENCE; the one without an amount takes the rest (default: CASH)
    #[arg(long, value_name = "PAYMENT")]
    pub(super) pay: Vec<String>,
    /// The patient's card, for the method CARD
    #[arg(long, value_name = "NUMBER")]
    pub(super) card: Option<String>,
    /// The cash that the patient gives
    #[arg(long, value_name = "AMOUNT")]
    pub(super) tendered: Option<Decimal>,
    /// How an insured patient pays: `self_paid` or `card_left`
    #[arg(long, value_name = "HOW")]
    pub(super) insured: Option<String>,
}

/// What is charged.
#[derive(Debug, Clone, Args)]
pub(super) struct Bill {
    /// The registration that it belongs to
    #[arg(long, value_name = "ID")]
    pub(super) registration: i64,
    /// A doctor's order (repeat)
    #[arg(long = "order", value_name = "ID")]
    pub(super) orders: Vec<i64>,
    /// An item beside the orders: CODE or CODE*QUANTITY (repeat)
    #[arg(long = "item", value_name = "ITEM")]
    pub(super) items: Vec<String>,
    #[command(flatten)]
    pub(super) paid: Paid,
}

/// What is known of a patient.
#[derive(Debug, Clone, Args)]
pub(super) struct Person {
    /// Name
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Initials of the name (拼音码)
    #[arg(long)]
    pub(super) initials: Option<String>,
    /// Sex as the HIS codes it
    #[arg(long)]
    pub(super) sex: Option<String>,
    /// Date of birth
    #[arg(long, value_name = "DATE")]
    pub(super) birth_date: Option<String>,
    /// Identity number
    #[arg(long, value_name = "NUMBER")]
    pub(super) id_no: Option<String>,
    /// Telephone
    #[arg(long)]
    pub(super) phone: Option<String>,
    /// Settlement category (费别)
    #[arg(long)]
    pub(super) category: Option<String>,
    /// Insurance number
    #[arg(long, value_name = "NUMBER")]
    pub(super) insurance_no: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
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
pub(super) enum Shift {
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
pub(super) enum Patient {
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
pub(super) enum Ending {
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
pub(super) enum Callback {
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
