//! The acts of a window: one function of the site's SQL contract each (schema `desk`).

use serde_json::Value;

macro_rules! acts {
    ($($(#[$note:meta])* $variant:ident = $name:literal, $changes:literal;)*) => {
        /// An act of the contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Act { $($(#[$note])* $variant),* }

        impl Act {
            /// Every act there is.
            pub const ALL: &[Act] = &[$(Act::$variant),*];

            /// The name of its function.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Act::$variant => $name),* }
            }

            /// True for what changes something and so bears a request id.
            #[must_use]
            pub fn changes(self) -> bool {
                match self { $(Act::$variant => $changes),* }
            }
        }
    };
}

acts! {
    Standing = "standing", false;
    Login = "login", false;
    OpenShift = "open_shift", true;
    Shift = "shift", false;
    CloseShift = "close_shift", true;
    Handover = "handover", false;
    /// Changes nothing but the record of who looked whom up, which is written each time.
    FindPatient = "find_patient", false;
    NewPatient = "new_patient", true;
    CompletePatient = "complete_patient", true;
    ListSchedules = "list_schedules", false;
    ListAppointments = "list_appointments", false;
    Register = "register", true;
    CancelRegistration = "cancel_registration", true;
    FindOrders = "find_orders", false;
    PriceSearch = "price_search", false;
    Quote = "quote", false;
    Charge = "charge", true;
    PaidOnPaper = "paid_on_paper", true;
    FindCharges = "find_charges", false;
    Refund = "refund", true;
    RefundsDue = "refunds_due", false;
    EndRefundDue = "end_refund_due", true;
    InsuranceList = "insurance_list", false;
    EndInsurance = "end_insurance", true;
    Receipt = "receipt", false;
    Printed = "printed", true;
    ToPrint = "to_print", false;
    SpoilForm = "spoil_form", true;
    IssueForms = "issue_forms", true;
    PaidOrders = "paid_orders", false;
    ConfirmDone = "confirm_done", true;
    AskCallback = "ask_callback", true;
    Callbacks = "callbacks", false;
    CallbackDone = "callback_done", true;
    Queue = "queue", false;
}

impl Act {
    #[must_use]
    pub fn named(name: &str) -> Option<Act> {
        Act::ALL.iter().copied().find(|a| a.name() == name)
    }

    /// The statement that does it: the ask goes in and the answer comes out as text, so that money stays what it is.
    #[must_use]
    pub fn statement(self) -> String {
        match self {
            Act::Standing => "SELECT desk.standing()::text WHERE $1::text IS NOT NULL".to_owned(),
            other => format!("SELECT desk.{}($1::text::jsonb)::text", other.name()),
        }
    }
}

/// An ask with what another adds to it; what is not said is not there, so that the contract sees its own defaults.
#[must_use]
pub fn with(ask: Value, more: Value) -> Value {
    let (Value::Object(mut ask), Value::Object(more)) = (ask, more) else { return Value::Null };
    ask.extend(more.into_iter().filter(|(_, v)| !v.is_null()));
    Value::Object(ask)
}
