//! The state of a window, and what each key does to it.

use super::super::act::Act;
use super::super::line::{Cashier, Standing};
use super::stage::{Did, Field, Form, Method, Part, Pay, Stage};
use super::worker::{Job, News, Worker};
use crate::profile::Profile;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::{Map, Value, json};

/// What the cashier is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Register,
    Charge,
    Refund,
    HandOut,
    Queue,
    Print,
    Close,
    /// What is seldom wanted: rolls, lists, telephone calls.
    More,
}

/// What the stage on the screen is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    LogIn,
    OpenShift,
    Home,
    Find,
    Pick,
    NewPatient,
    Appointment,
    Doctor,
    PaperNo,
    PayVisit,
    Bill,
    Item,
    Quantity,
    PayBill,
    PickCharge,
    Approve,
    Department,
    Paid,
    Waiting,
    Reprint,
    Spoil,
    Roll,
    More,
    Ending,
    EndHow,
    Complete,
    Count,
    Result,
}

/// How a message is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Said,
    Refused,
}

pub struct App {
    pub profile: Profile,
    worker: Worker,
    /// True between an ask and its answer.
    waiting: bool,
    pub trouble: Option<String>,
    pub over: bool,
    pub stage: Stage,
    pub step: Step,
    pub task: Task,
    pub message: Option<(Mood, String)>,
    pub standing: Standing,
    pub login: Map<String, Value>,
    pub logged_in: bool,
    pub patient: Option<Value>,
    pub visit: Option<i64>,
    /// What was chosen on the way: a doctor, an appointment, an item, a charge, a department.
    pub chosen: Value,
    /// The bill while an item is looked for or it is paid.
    pub bill: Option<Stage>,
    /// Which list of what is to be ended is on the screen.
    pub listed: Act,
    /// Vouchers still to be printed.
    pub to_print: Vec<i64>,
}

impl App {
    pub fn new(profile: &Profile, worker: Worker, staff: Option<&str>, window: Option<&str>) -> App {
        let mut app = App {
            profile: profile.clone(),
            worker,
            waiting: false,
            trouble: None,
            over: false,
            stage: Stage::Form(Form::new("", vec![Field::new("", "")])),
            step: Step::LogIn,
            task: Task::Register,
            message: None,
            standing: Standing::default(),
            login: Map::new(),
            logged_in: false,
            patient: None,
            visit: None,
            chosen: Value::Null,
            bill: None,
            listed: Act::Callbacks,
            to_print: Vec::new(),
        };
        app.stage = app.log_in_form(staff.unwrap_or_default(), window.unwrap_or_default());
        app
    }

    /// The half of a pair that this window speaks.
    pub fn t<'a>(&self, zh: &'a str, en: &'a str) -> &'a str {
        if self.english() { en } else { zh }
    }

    pub fn english(&self) -> bool {
        self.profile.site.language == "en"
    }

    pub fn is_waiting(&self) -> bool {
        self.waiting
    }

    fn log_in_form(&self, staff: &str, window: &str) -> Stage {
        let fields = vec![
            Field::new("window", self.t("窗口", "Window")).filled(window),
            Field::new("staff_no", self.t("工号", "Staff number")).filled(staff),
            Field::new("secret", self.t("口令", "Secret")).masked(),
        ];
        Stage::Form(Form::new(self.t("登录", "Log in"), fields))
    }

    pub fn log_in_again(&mut self) {
        self.step = Step::LogIn;
        let window = self.login.get("window").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.stage = self.log_in_form("", &window);
    }

    pub fn say(&mut self, text: impl Into<String>) {
        self.message = Some((Mood::Said, text.into()));
    }

    pub fn refuse(&mut self, text: impl Into<String>) {
        self.message = Some((Mood::Refused, text.into()));
    }

    /// Asks the database; keys wait until it has answered.
    pub fn ask(&mut self, act: Act, ask: Value) {
        self.send(Job::Ask(act, ask));
    }

    fn send(&mut self, job: Job) {
        self.waiting = self.worker.jobs.send(job).is_ok();
    }

    pub fn key(&mut self, key: KeyEvent) {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && key.code == KeyCode::Char('q') {
            self.over = true;
        }
        // An act is under way: what was typed stays, and nothing is sent twice.
        if self.waiting {
            return;
        }
        self.message = None;
        if self.logged_in && self.login.get("shift").is_some_and(|s| !s.is_null()) {
            let task = match key.code {
                KeyCode::F(2) => Some(Task::Register),
                KeyCode::F(3) => Some(Task::Charge),
                KeyCode::F(5) => Some(Task::Refund),
                KeyCode::F(6) if self.step != Step::Bill => Some(Task::HandOut),
                KeyCode::F(7) => Some(Task::Queue),
                KeyCode::F(9) => Some(Task::Close),
                KeyCode::F(11) => Some(Task::Print),
                KeyCode::F(12) => Some(Task::More),
                _ => None,
            };
            if let Some(task) = task {
                self.begin(task);
                return;
            }
        }
        if key.code == KeyCode::F(10) {
            self.over = true;
            return;
        }
        if self.on_paper(key.code) || self.on_jam(key.code) {
            return;
        }
        let method = self.method();
        match self.stage.key(key) {
            Did::Done => self.done(),
            Did::Back => self.back(),
            // Cash is rounded and the rest is not, so another method may be another sum.
            Did::Nothing if self.method() != method => self.quote(),
            Did::Nothing => {}
        }
    }

    fn method(&self) -> Option<(usize, Option<bool>, usize)> {
        if let Stage::Pay(pay) = &self.stage { Some((pay.method, pay.card_left, pay.parts.len())) } else { None }
    }

    /// Hears what the line has to say.
    pub fn hear(&mut self) {
        while let Ok(news) = self.worker.news.try_recv() {
            match news {
                News::Trouble(why) => self.trouble = Some(why),
                News::Standing(standing) => {
                    self.trouble = None;
                    if self.logged_in && standing.event != self.standing.event {
                        let text =
                            self.t("数据库已切换,请核对上方状态", "the database has changed: look at the line above");
                        self.say(text.to_owned());
                    }
                    self.standing = standing;
                }
                News::LoggedIn(result) => {
                    self.waiting = false;
                    match result {
                        Ok(login) => self.logged_in(login),
                        Err(e) => self.refuse(e.reason()),
                    }
                }
                News::Answer(act, result) => {
                    self.waiting = false;
                    match result {
                        Ok(answer) => {
                            if let Some(left) = answer.get("forms_left") {
                                self.login.insert("forms".to_owned(), left.clone());
                            }
                            self.answered(act, &answer);
                        }
                        // What was typed stays, to be mended.
                        Err(e) => self.refuse(e.reason()),
                    }
                }
                News::Printed(result) => {
                    self.waiting = false;
                    match result {
                        Ok(()) => self.print_next(),
                        Err(e) => {
                            self.to_print.clear();
                            let waits = self.t("凭证待补打(F11)", "the voucher waits to be printed (F11)");
                            self.refuse(format!("{}: {waits}", e.reason()));
                        }
                    }
                }
            }
        }
    }

    fn logged_in(&mut self, login: Map<String, Value>) {
        self.logged_in = true;
        self.login = login;
        if self.login.get("shift").is_none_or(Value::is_null) {
            self.step = Step::OpenShift;
            let first = self.login.get("first_of_event") == Some(&Value::Bool(true));
            let note = if first {
                self.t(
                    "故障前最后一张票据的号码(看打印机上的存根)",
                    "the number of the last receipt printed before the outage (see the stub)",
                )
            } else {
                self.t("按回车开班", "Enter opens the shift")
            };
            let field = Field::new("last_printed", self.t("故障前最后票号", "Last receipt before"));
            self.stage = Stage::Form(Form::new(self.t("开班", "Open the shift"), vec![field]).note(note));
        } else {
            self.home();
        }
    }

    pub fn log_in(&mut self, form: &Form) {
        let text = |key: &str| form.text(key).to_owned();
        let cashier =
            Cashier { staff_no: text("staff_no"), secret: text("secret"), window: text("window").to_uppercase() };
        self.send(Job::LogIn(cashier));
    }

    /// Prints what is left to be printed, one after the other.
    pub fn print_next(&mut self) {
        if self.to_print.is_empty() {
            return;
        }
        if self.profile.desk.print.is_none() {
            self.to_print.clear();
            let text =
                self.t("未配置打印机,凭证待补打(F11)", "no printer is named: the voucher waits (F11)").to_owned();
            self.say(text);
            return;
        }
        let charge = self.to_print.remove(0);
        self.send(Job::Print(charge));
    }

    /// How one can pay here, cash first.
    pub fn methods(&self) -> Vec<Method> {
        let list = self.login.get("methods").and_then(Value::as_array).cloned().unwrap_or_default();
        let text = |m: &Value, key: &str| m[key].as_str().unwrap_or_default().to_owned();
        list.iter()
            .map(|m| Method {
                code: text(m, "code"),
                name: text(m, "name"),
                wants_reference: m["needs_network"] == true,
            })
            .collect()
    }

    /// The payments as the contract takes them, and the cash that is given.
    pub fn payments(&self) -> (Value, Value) {
        let Stage::Pay(pay) = &self.stage else { return (Value::Null, Value::Null) };
        let Some(method) = pay.chosen() else { return (Value::Null, Value::Null) };
        let text = pay.text.trim();
        let mut one = json!({ "method": method.code });
        let mut tendered = Value::Null;
        if method.wants_reference {
            one["reference"] = json!(text);
        } else if method.code == "CARD" {
            one["card"] = self.card();
        } else if method.code == "CASH" && !text.is_empty() {
            tendered = json!(text);
        }
        let mut all = self.parts(pay);
        all.push(one);
        (Value::Array(all), tendered)
    }

    /// What was paid in parts so far.
    pub fn parts(&self, pay: &Pay) -> Vec<Value> {
        let part = |p: &Part| {
            let mut one = json!({ "method": p.method.code, "amount": p.amount.to_string(), "reference": p.reference });
            if p.method.code == "CARD" {
                one["card"] = self.card();
            }
            one
        };
        pay.parts.iter().map(part).collect()
    }

    fn card(&self) -> Value {
        self.patient.as_ref().map_or(Value::Null, |p| p["card"].clone())
    }
}
