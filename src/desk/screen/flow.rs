//! What follows what: the way of each task through its stages.

use super::super::act::{Act, with};
use super::app::{App, Step, Task};
use super::pages;
use super::stage::{Field, Form, Sheet, Stage};
use super::till::insured;
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
            Task::More => self.more(),
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
            Task::More => ("其他", "More"),
        };
        if self.english() { en } else { zh }
    }

    pub fn home(&mut self) {
        self.step = Step::Home;
        self.patient = None;
        let lines = pages::home(self);
        self.stage = Stage::Sheet(Sheet { title: self.t("请按功能键", "Press a function key").to_owned(), lines });
    }

    pub fn find(&mut self) {
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
            (Step::EndHow, _) => self.ask(self.listed, json!({})),
            (Step::Pick | Step::NewPatient | Step::Complete | Step::Bill | Step::Doctor | Step::Appointment, _) => {
                self.find();
            }
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
                let ask = with(self.visit_ask(), ask);
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
                let ask = with(self.bill_ask(), ask);
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
            (Step::More | Step::Ending | Step::EndHow | Step::Complete | Step::Roll | Step::Spoil, _) => {
                self.more_done(&stage);
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
            other => self.more_answered(other, answer),
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
            Task::More => return self.complete(),
            _ => Act::FindCharges,
        };
        self.ask(act, json!({ "patient": patient }));
    }
}
