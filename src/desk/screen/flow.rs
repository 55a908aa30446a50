//! What follows what: the way of each task through its stages.

use super::super::act::Act;
use super::app::{App, Step, Task};
use super::pages;
use super::stage::{Bill, Due, Field, Form, Pay, Row, Sheet, Stage};
use crossterm::event::KeyCode;
use serde_json::{Value, json};

impl App {
    /// Begins a task. Charging goes on with the patient who was just registered.
    pub fn begin(&mut self, task: Task) {
        self.task = task;
        self.bill = None;
        match task {
            Task::Charge if self.patient.is_some() => self.patient_taken(),
            Task::Register | Task::Charge | Task::Refund => self.find(),
            Task::HandOut | Task::Queue => {
                self.step = Step::Department;
                let field = Field::new("department", self.t("科室", "Department"));
                let note = self.t("科室名称、代码或拼音首字母", "name, code or initials of the department");
                self.stage = Stage::Form(Form::new(self.title(), vec![field]).note(note));
            }
            Task::Print => self.ask(Act::ToPrint, json!({})),
            Task::Close => self.ask(Act::Shift, json!({})),
        }
    }

    pub fn title(&self) -> &'static str {
        let (zh, en) = match self.task {
            Task::Register => ("挂号", "Register"),
            Task::Charge => ("收费", "Charge"),
            Task::Refund => ("退费、退号", "Refund, cancel"),
            Task::HandOut => ("发药、执行", "Hand out, carry out"),
            Task::Queue => ("候诊队列", "Queue"),
            Task::Print => ("待补打", "To be printed"),
            Task::Close => ("班结", "Close the shift"),
        };
        if self.english() { en } else { zh }
    }

    pub fn home(&mut self) {
        self.step = Step::Home;
        self.patient = None;
        let lines = pages::home(self);
        self.stage = Stage::Sheet(Sheet { title: self.t("请按功能键", "Press a function key").to_owned(), lines });
    }

    fn find(&mut self) {
        self.step = Step::Find;
        self.patient = None;
        let field = Field::new("text", self.t("查找患者", "Patient"));
        let note = self.t(
            "卡号、门诊号、身份证号、电话、姓名或拼音首字母",
            "card, record, ID or telephone number, name or initials",
        );
        self.stage = Stage::Form(Form::new(self.title(), vec![field]).note(note));
    }

    /// One step back; what was not sent is gone, what was is done.
    pub fn back(&mut self) {
        match (self.step, self.bill.take()) {
            (Step::LogIn | Step::OpenShift, _) => {}
            (Step::Item | Step::Quantity | Step::PayBill, Some(bill)) => {
                self.step = Step::Bill;
                self.stage = bill;
            }
            (Step::Pick | Step::NewPatient | Step::Bill | Step::Doctor | Step::Appointment, _) => self.find(),
            _ => self.home(),
        }
    }

    /// The stage is filled in or chosen: on to the next.
    pub fn done(&mut self) {
        let stage = self.stage.clone();
        match (self.step, &stage) {
            (Step::LogIn, Stage::Form(form)) => self.log_in(form),
            (Step::OpenShift, Stage::Form(form)) => {
                let last = form.text("last_printed");
                let last = if last.is_empty() { Value::Null } else { json!(last) };
                self.ask(Act::OpenShift, json!({ "last_printed": last }));
            }
            (Step::Find, Stage::Form(form)) => self.ask(Act::FindPatient, json!({ "text": form.text("text") })),
            (Step::Pick, Stage::List(list)) => {
                let picked = list.chosen().map_or(Value::Null, |r| r.value.clone());
                if picked.is_null() {
                    self.new_patient("");
                } else {
                    self.patient = Some(picked);
                    self.patient_taken();
                }
            }
            (Step::NewPatient, Stage::Form(form)) => self.ask(Act::NewPatient, pages::person(form)),
            (Step::Appointment, Stage::List(list)) => {
                self.chosen = list.chosen().map_or(Value::Null, |r| r.value.clone());
                if self.chosen.is_null() { self.ask(Act::ListSchedules, json!({})) } else { self.quote() }
            }
            (Step::Doctor, Stage::List(list)) => {
                self.chosen = list.chosen().map_or(Value::Null, |r| r.value.clone());
                self.quote();
            }
            (Step::PaperNo, Stage::Form(form)) => self.by_paper(form.text("paper_no")),
            (Step::PayVisit, Stage::Pay(pay)) => {
                let (payments, tendered) = self.payments();
                let ask = json!({ "payments": payments, "tendered": tendered, "insured": insured(pay) });
                let ask = merged(self.visit_ask(), ask);
                self.ask(Act::Register, ask);
            }
            (Step::Bill, Stage::Bill(bill)) => {
                if bill.input.trim().is_empty() {
                    self.bill = Some(stage.clone());
                    self.quote();
                } else {
                    self.ask(Act::PriceSearch, json!({ "text": bill.input.trim() }));
                }
            }
            (Step::Item, Stage::List(list)) => {
                if let Some(row) = list.chosen() {
                    self.how_many(row.value.clone());
                }
            }
            (Step::Quantity, Stage::Form(form)) => self.add_item(form.text("quantity")),
            (Step::PayBill, Stage::Pay(pay)) => {
                let (payments, tendered) = self.payments();
                let ask =
                    json!({ "payments": payments, "tendered": tendered, "insured": insured(pay), "expect": pay.due });
                let ask = merged(self.bill_ask(), ask);
                self.ask(Act::Charge, ask);
            }
            (Step::PickCharge, Stage::List(list)) => {
                self.chosen = list.chosen().map_or(Value::Null, |r| r.value.clone());
                self.approve();
            }
            (Step::Approve, Stage::Form(form)) => self.refund(form),
            (Step::Department, Stage::Form(form)) => {
                self.chosen = json!(form.text("department"));
                let act = if self.task == Task::Queue { Act::Queue } else { Act::PaidOrders };
                self.ask(act, json!({ "department": self.chosen }));
            }
            (Step::Paid, Stage::List(list)) => {
                if let Some(row) = list.chosen() {
                    let lines: Vec<Value> =
                        row.value["lines"].as_array().into_iter().flatten().map(|l| l["line"].clone()).collect();
                    self.ask(Act::ConfirmDone, json!({ "order": row.value["order"], "lines": lines }));
                }
            }
            (Step::Reprint, Stage::List(list)) => {
                self.to_print = list.chosen().and_then(|r| r.value["charge"].as_i64()).into_iter().collect();
                self.home();
                self.print_next();
            }
            (Step::Count, Stage::Form(form)) => self.ask(Act::CloseShift, json!({ "counted": form.text("counted") })),
            (Step::Result, _) if !self.logged_in => self.log_in_again(),
            (Step::Result | Step::Home | Step::Waiting, _) => self.home(),
            _ => {}
        }
    }

    pub fn answered(&mut self, act: Act, answer: &Value) {
        let list = |key: &str| answer[key].as_array().cloned().unwrap_or_default();
        match act {
            Act::OpenShift => {
                self.login.insert("shift".to_owned(), answer["shift"].clone());
                self.home();
            }
            Act::FindPatient => self.found(&list("patients")),
            Act::NewPatient => {
                self.patient = Some(answer.clone());
                if answer["known"] == true {
                    let text =
                        self.t("该证件已建档,已调出原档案", "this document is known: here is its record").to_owned();
                    self.say(text);
                }
                self.patient_taken();
            }
            Act::ListAppointments => {
                let rows = list("appointments");
                if rows.is_empty() {
                    self.ask(Act::ListSchedules, json!({}));
                } else {
                    self.step = Step::Appointment;
                    self.stage = Stage::List(pages::appointments(self, &rows));
                }
            }
            Act::ListSchedules => {
                self.step = Step::Doctor;
                self.stage = Stage::List(pages::doctors(self, &list("schedules")));
            }
            Act::Quote => self.pay(answer),
            Act::Register
            | Act::Charge
            | Act::Refund
            | Act::CancelRegistration
            | Act::CloseShift
            | Act::PaidOnPaper => {
                self.finished(act, answer);
            }
            Act::FindOrders => self.bill_of(answer),
            Act::PriceSearch => {
                let items = list("items");
                self.bill = Some(self.stage.clone());
                match items.as_slice() {
                    [] => {
                        let text = self.t("没有这个项目", "there is no such item").to_owned();
                        self.refuse(text);
                    }
                    [one] => self.how_many(one.clone()),
                    _ => {
                        self.step = Step::Item;
                        self.stage = Stage::List(pages::items(self, &items));
                    }
                }
            }
            Act::FindCharges => {
                self.step = Step::PickCharge;
                self.stage = Stage::List(pages::charges(self, &list("charges"), true));
            }
            Act::PaidOrders => {
                self.step = Step::Paid;
                self.stage = Stage::List(pages::paid_orders(self, &list("orders")));
            }
            Act::ConfirmDone => {
                let text = self.t("已登记执行", "recorded as done").to_owned();
                self.ask(Act::PaidOrders, json!({ "department": self.chosen }));
                self.say(text);
            }
            Act::Queue => {
                self.step = Step::Waiting;
                self.stage = Stage::List(pages::queue(self, &list("waiting")));
            }
            Act::ToPrint => {
                self.step = Step::Reprint;
                self.stage = Stage::List(pages::charges(self, &list("charges"), false));
            }
            Act::Shift => {
                self.step = Step::Count;
                let field = Field::new("counted", self.t("实点现金", "Cash counted"));
                let note = pages::figures(self, answer).join("\n");
                self.stage = Stage::Form(Form::new(self.title(), vec![field]).note(note));
            }
            _ => {}
        }
    }

    fn found(&mut self, patients: &[Value]) {
        let text = if let Stage::Form(form) = &self.stage { form.text("text").to_owned() } else { String::new() };
        match patients {
            [] if self.task == Task::Register => self.new_patient(&text),
            [] => {
                let text = self.t("查无此患者", "no such patient").to_owned();
                self.refuse(text);
            }
            [one] => {
                self.patient = Some(one.clone());
                self.patient_taken();
            }
            several => {
                self.step = Step::Pick;
                self.stage = Stage::List(pages::patients(self, several));
            }
        }
    }

    fn new_patient(&mut self, text: &str) {
        self.step = Step::NewPatient;
        self.stage = Stage::Form(pages::new_patient(self, text));
    }

    fn patient_taken(&mut self) {
        let patient = self.patient.as_ref().map_or(Value::Null, |p| p["patient"].clone());
        let act = match self.task {
            Task::Register => Act::ListAppointments,
            Task::Charge => Act::FindOrders,
            _ => Act::FindCharges,
        };
        self.ask(act, json!({ "patient": patient }));
    }

    fn visit_ask(&self) -> Value {
        let patient = self.patient.as_ref().map_or(Value::Null, |p| p["patient"].clone());
        let mut ask = json!({ "patient": patient });
        for key in ["schedule", "appointment"] {
            if !self.chosen[key].is_null() && (key == "appointment" || self.chosen["appointment"].is_null()) {
                ask[key] = self.chosen[key].clone();
            }
        }
        ask
    }

    fn bill_ask(&self) -> Value {
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
            let method = pay.chosen().map(|m| m.code.clone());
            more = json!({ "payments": [{ "method": method, "card": "" }], "insured": insured(pay) });
        }
        self.ask(Act::Quote, merged(ask, more));
    }

    fn pay(&mut self, quote: &Value) {
        let due = quote["paid"].as_str().unwrap_or_default().to_owned();
        if let Stage::Pay(pay) = &mut self.stage {
            pay.due = due;
            return;
        }
        self.step = if self.task == Task::Charge { Step::PayBill } else { Step::PayVisit };
        let card_left = quote["insured"].as_str().map(|how| how == "card_left");
        let title = format!("{} - {}", self.title(), pages::who(self));
        self.stage = Stage::Pay(Pay { title, due, methods: self.methods(), method: 0, text: String::new(), card_left });
    }

    fn bill_of(&mut self, answer: &Value) {
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

    fn how_many(&mut self, item: Value) {
        self.step = Step::Quantity;
        let title =
            format!("{} {}", item["name"].as_str().unwrap_or_default(), item["spec"].as_str().unwrap_or_default());
        let unit = item["unit"].as_str().unwrap_or_default();
        let field = Field::new("quantity", self.t("数量", "Quantity"));
        let note = format!("{} {} / {unit}", self.t("单价", "price"), item["price"].as_str().unwrap_or_default());
        self.chosen = item;
        self.stage = Stage::Form(Form::new(title, vec![field]).note(note));
    }

    fn add_item(&mut self, quantity: &str) {
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

    fn by_paper(&mut self, number: &str) {
        let patient = self.patient.as_ref().map_or(Value::Null, |p| p["patient"].clone());
        if self.task == Task::Charge {
            self.ask(
                Act::PaidOnPaper,
                json!({ "order": self.chosen["order"], "patient": patient, "paper_no": number }),
            );
        } else {
            let ask = merged(self.visit_ask(), json!({ "paper_no": number }));
            self.ask(Act::Register, ask);
        }
    }

    fn approve(&mut self) {
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

    fn refund(&mut self, form: &Form) {
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

    fn finished(&mut self, act: Act, answer: &Value) {
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

fn insured(pay: &Pay) -> Option<&'static str> {
    pay.card_left.map(|left| if left { "card_left" } else { "self_paid" })
}

fn merged(one: Value, other: Value) -> Value {
    let (Value::Object(mut one), Value::Object(other)) = (one, other) else { return Value::Null };
    one.extend(other.into_iter().filter(|(_, v)| !v.is_null()));
    Value::Object(one)
}

/// A row of a list out of an object's fields.
pub fn row(value: &Value, keys: &[&str], find: &[&str]) -> Row {
    let text = |key: &str| match &value[key] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Row {
        cells: keys.iter().map(|k| text(k)).collect(),
        find: find.iter().map(|k| text(k)).collect::<Vec<_>>().join(" "),
        value: value.clone(),
    }
}
