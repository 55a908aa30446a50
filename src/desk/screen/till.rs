//! Money at the window: the bill, what is due, how it is paid, papers that stand for money, and what goes back.

use super::super::act::{Act, with};
use super::app::{App, Step, Task};
use super::pages;
use super::stage::{Bill, Due, Field, Form, Pay, Sheet, Stage};
use crossterm::event::KeyCode;
use serde_json::{Value, json};

impl App {
    pub fn visit_ask(&self) -> Value {
        let patient = self.patient.as_ref().map_or(Value::Null, |p| p["patient"].clone());
        let mut ask = json!({ "patient": patient });
        for key in ["schedule", "appointment"] {
            if !self.chosen[key].is_null() && (key == "appointment" || self.chosen["appointment"].is_null()) {
                ask[key] = self.chosen[key].clone();
            }
        }
        ask
    }

    pub fn bill_ask(&self) -> Value {
        let Some(Stage::Bill(bill)) = &self.bill else { return json!({}) };
        let on: Vec<&Due> = bill.dues.iter().filter(|d| d.on).collect();
        let orders: Vec<i64> = on.iter().filter_map(|d| d.order).collect();
        let items: Vec<Value> =
            on.iter().filter_map(|d| d.item.as_ref()).map(|(code, n)| json!({ "code": code, "quantity": n })).collect();
        json!({ "registration": self.visit, "orders": orders, "items": items })
    }

    /// Asks what is due with the payment that is chosen, before any is.
    pub fn quote(&mut self) {
        let ask = if self.task == Task::Charge { self.bill_ask() } else { self.visit_ask() };
        let mut more = json!({});
        if let Stage::Pay(pay) = &self.stage {
            let mut payments = self.parts(pay);
            payments.push(json!({ "method": pay.chosen().map(|m| m.code.clone()), "card": "" }));
            more = json!({ "payments": payments, "insured": insured(pay) });
        }
        self.ask(Act::Quote, with(ask, more));
    }

    pub fn pay(&mut self, quote: &Value) {
        let due = quote["paid"].as_str().unwrap_or_default().to_owned();
        if let Stage::Pay(pay) = &mut self.stage {
            pay.due = due;
            return;
        }
        self.step = if self.task == Task::Charge { Step::PayBill } else { Step::PayVisit };
        let card_left = quote["insured"].as_str().map(|how| how == "card_left");
        let title = format!("{} - {}", self.title(), pages::who(self));
        self.stage = Stage::Pay(Pay {
            title,
            due,
            methods: self.methods(),
            method: 0,
            text: String::new(),
            parts: Vec::new(),
            card_left,
        });
    }

    pub fn bill_of(&mut self, answer: &Value) {
        let visits = answer["visits"].as_array().cloned().unwrap_or_default();
        let Some(visit) = visits.first() else {
            let text =
                self.t("该患者今天没有挂号,请先挂号(F2)", "not registered today: register first (F2)").to_owned();
            self.find();
            self.refuse(text);
            return;
        };
        self.visit = visit["registration"].as_i64();
        let orders = answer["orders"].as_array().cloned().unwrap_or_default();
        if let Some(first) = orders.first() {
            self.visit = first["registration"].as_i64();
        }
        let dues = orders.iter().map(|o| pages::due_of_order(self, o)).collect();
        self.step = Step::Bill;
        let title = format!("{} - {}", self.title(), pages::who(self));
        self.stage = Stage::Bill(Bill { title, dues, at: 0, input: String::new() });
    }

    pub fn how_many(&mut self, item: Value) {
        self.step = Step::Quantity;
        let title =
            format!("{} {}", item["name"].as_str().unwrap_or_default(), item["spec"].as_str().unwrap_or_default());
        let unit = item["unit"].as_str().unwrap_or_default();
        let field = Field::new("quantity", self.t("数量", "Quantity"));
        let note = format!("{} {} / {unit}", self.t("单价", "price"), item["price"].as_str().unwrap_or_default());
        self.chosen = item;
        self.stage = Stage::Form(Form::new(title, vec![field]).note(note));
    }

    pub fn add_item(&mut self, quantity: &str) {
        let quantity = if quantity.is_empty() { "1" } else { quantity };
        let (item, Some(Stage::Bill(mut bill))) = (self.chosen.clone(), self.bill.take()) else { return };
        bill.dues.push(pages::due_of_item(&item, quantity));
        bill.at = bill.dues.len() - 1;
        bill.input.clear();
        self.step = Step::Bill;
        self.stage = Stage::Bill(bill);
    }

    /// F8 at a doctor, F6 at an order: the patient shows a paper of before the outage, and no money is taken.
    pub fn on_paper(&mut self, key: KeyCode) -> bool {
        match (self.step, key, &self.stage) {
            (Step::Doctor, KeyCode::F(8), Stage::List(list)) => {
                self.chosen = list.chosen().map_or(Value::Null, |r| r.value.clone());
            }
            (Step::Bill, KeyCode::F(6), Stage::Bill(bill)) => {
                let Some(order) = bill.dues.get(bill.at).and_then(|d| d.order) else { return true };
                self.chosen = json!({ "order": order });
            }
            _ => return false,
        }
        self.step = Step::PaperNo;
        let (title, label) = (self.t("凭纸质凭证", "By paper"), self.t("凭证号码", "Number of the paper"));
        let note = self.t(
            "故障前已挂号或已缴费:只登记,不收钱",
            "registered or paid before the outage: recorded, no money is taken",
        );
        self.stage = Stage::Form(Form::new(title, vec![Field::new("paper_no", label)]).note(note));
        true
    }

    pub fn by_paper(&mut self, number: &str) {
        let patient = self.patient.as_ref().map_or(Value::Null, |p| p["patient"].clone());
        if self.task == Task::Charge {
            self.ask(
                Act::PaidOnPaper,
                json!({ "order": self.chosen["order"], "patient": patient, "paper_no": number }),
            );
        } else {
            let ask = with(self.visit_ask(), json!({ "paper_no": number }));
            self.ask(Act::Register, ask);
        }
    }

    pub fn approve(&mut self) {
        self.step = Step::Approve;
        let mut fields = vec![
            Field::new("reason", self.t("退费原因", "Reason")),
            Field::new("approver", self.t("审批人工号", "Approver")),
            Field::new("approver_secret", self.t("审批人口令", "Approver's secret")).masked(),
        ];
        if self.chosen["kind"] != "registration" {
            fields.insert(0, Field::new("lines", self.t("行号(空为全退)", "Lines (empty: all)")));
        }
        let note = pages::lines_of(&self.chosen).join("\n");
        self.stage = Stage::Form(Form { at: 0, ..Form::new(self.title(), fields).note(note) });
    }

    pub fn refund(&mut self, form: &Form) {
        let lines: Vec<i64> = form.text("lines").split([',', ' ', ',']).filter_map(|n| n.parse().ok()).collect();
        let mut ask = json!({ "reason": form.text("reason"), "approver": form.text("approver"), "approver_secret": form.text("approver_secret") });
        if self.chosen["kind"] == "registration" {
            ask["registration"] = self.chosen["registration"].clone();
            self.ask(Act::CancelRegistration, ask);
        } else {
            ask["charge"] = self.chosen["charge"].clone();
            if !lines.is_empty() {
                ask["lines"] = json!(lines);
            }
            self.ask(Act::Refund, ask);
        }
    }

    pub fn finished(&mut self, act: Act, answer: &Value) {
        self.step = Step::Result;
        self.bill = None;
        let lines = pages::result(self, act, answer);
        self.stage = Stage::Sheet(Sheet { title: self.title().to_owned(), lines });
        if act == Act::CloseShift {
            self.login.insert("shift".to_owned(), Value::Null);
            self.logged_in = false;
        }
        self.to_print =
            answer["charges"].as_array().into_iter().flatten().filter_map(|c| c["charge"].as_i64()).collect();
        if act != Act::Register {
            self.patient = None;
        }
        self.print_next();
    }
}

pub fn insured(pay: &Pay) -> Option<&'static str> {
    pay.card_left.map(|left| if left { "card_left" } else { "self_paid" })
}
