//! What a window wants seldom: a new roll of receipts, a spoiled form, who is to be telephoned, what was promised and how it
//! ends, the hand-over sheet, completing a patient.

use super::super::act::{Act, with};
use super::super::show;
use super::app::{App, Step};
use super::pages;
use super::stage::{Field, Form, List, Row, Sheet, Stage};
use crossterm::event::KeyCode;
use serde_json::{Value, json};

const CHOICES: [(&str, &str, &str); 6] = [
    ("forms", "发放新票据段(主管)", "a new roll of receipts (supervisor)"),
    ("callbacks", "结果电话回访", "patients to be telephoned with results"),
    ("refunds", "待退费清单", "refunds due"),
    ("insurance", "医保补结算清单", "insurance to be settled"),
    ("handover", "交接单", "hand-over sheet"),
    ("complete", "补全患者信息", "complete a patient"),
];

impl App {
    pub fn more(&mut self) {
        self.step = Step::More;
        let row = |(key, zh, en): &(&str, &str, &str)| Row {
            cells: vec![self.t(zh, en).to_owned()],
            find: String::new(),
            value: json!(key),
        };
        let rows = CHOICES.iter().map(row).collect();
        self.stage = Stage::List(List::new(self.title(), &[""], rows));
    }

    /// F4 and F8 where vouchers wait: the paper jammed, or the roll is at its end. The charge is good all the same.
    pub fn on_jam(&mut self, key: KeyCode) -> bool {
        match (self.step, key, &self.stage) {
            (Step::Reprint, KeyCode::F(4), Stage::List(list)) => {
                let Some(row) = list.chosen() else { return true };
                self.chosen = row.value.clone();
                self.step = Step::Spoil;
                let field = Field::new("why", self.t("作废原因", "Why"));
                let note = self.t("该票号记为作废,换用下一号", "this number is void; the next one is taken");
                self.stage = Stage::Form(Form::new(self.t("票据作废", "A form is spoiled"), vec![field]).note(note));
            }
            (Step::Reprint, KeyCode::F(8), _) => self.roll(),
            _ => return false,
        }
        true
    }

    fn roll(&mut self) {
        self.step = Step::Roll;
        let field = |key, zh, en| Field::new(key, self.t(zh, en));
        let fields = vec![
            field("prefix", "票据字轨", "Prefix"),
            field("first", "起始号", "First number"),
            field("last", "截止号", "Last number"),
            field("approver", "主管工号", "Supervisor"),
            field("approver_secret", "主管口令", "Supervisor's secret").masked(),
        ];
        self.stage = Stage::Form(Form::new(self.t("发放新票据段", "A new roll of receipts"), fields));
    }

    /// The patient is found: what is known now.
    pub fn complete(&mut self) {
        self.step = Step::Complete;
        let mut form = pages::new_patient(self, "");
        form.title = format!("{} - {}", self.t("补全患者信息", "Complete"), pages::who(self));
        self.t("只填要改的", "fill in only what changes").clone_into(&mut form.note);
        self.stage = Stage::Form(form);
    }

    pub fn more_done(&mut self, stage: &Stage) {
        match (self.step, stage) {
            (Step::More, Stage::List(list)) => match list.chosen().and_then(|r| r.value.as_str()) {
                Some("forms") => self.roll(),
                Some("callbacks") => self.ask(Act::Callbacks, json!({})),
                Some("refunds") => self.ask(Act::RefundsDue, json!({})),
                Some("insurance") => self.ask(Act::InsuranceList, json!({})),
                Some("handover") => self.ask(Act::Handover, json!({})),
                _ => self.find(),
            },
            (Step::Roll, Stage::Form(form)) => {
                let ask = form.fields.iter().map(|f| (f.key.to_owned(), json!(f.text.trim()))).collect();
                self.ask(Act::IssueForms, Value::Object(ask));
            }
            (Step::Spoil, Stage::Form(form)) => {
                let ask = json!({ "charge": self.chosen["charge"], "why": form.text("why") });
                self.ask(Act::SpoilForm, ask);
            }
            (Step::Complete, Stage::Form(form)) => {
                let mut ask = pages::person(form);
                ask.as_object_mut().map(|a| a.remove("unknown"));
                let patient = self.patient.as_ref().map_or(Value::Null, |p| p["patient"].clone());
                self.ask(Act::CompletePatient, with(ask, json!({ "patient": patient })));
            }
            (Step::Ending, Stage::List(list)) => {
                let Some(row) = list.chosen() else { return };
                self.chosen = row.value.clone();
                if self.listed == Act::Callbacks {
                    self.ask(Act::CallbackDone, json!({ "id": self.chosen["id"] }));
                } else {
                    self.ending();
                }
            }
            (Step::EndHow, Stage::Form(form)) => {
                let done = form.text("as") == "1";
                let how = match (self.listed, done) {
                    (Act::RefundsDue, true) => "paid",
                    (Act::RefundsDue, false) => "dropped",
                    (_, true) => "settled",
                    (_, false) => "waived",
                };
                let (act, id) = match self.listed {
                    Act::RefundsDue => (Act::EndRefundDue, "id"),
                    _ => (Act::EndInsurance, "charge"),
                };
                let mut ask = json!({ "as": how, "note": form.text("note") });
                ask[id] = self.chosen[id].clone();
                self.ask(act, ask);
            }
            _ => {}
        }
    }

    /// How something that was promised ends, and on what ground.
    fn ending(&mut self) {
        self.step = Step::EndHow;
        let how = if self.listed == Act::RefundsDue {
            self.t("1 已退 2 撤销", "1 paid 2 dropped")
        } else {
            self.t("1 已补结算 2 放弃", "1 settled 2 waived")
        };
        let fields = vec![Field::new("as", how), Field::new("note", self.t("说明", "Note"))];
        let note = format!(
            "{} {}",
            self.chosen["name"].as_str().unwrap_or_default(),
            self.chosen["amount"].as_str().unwrap_or_default()
        );
        self.stage = Stage::Form(Form::new(self.title(), fields).note(note));
    }

    pub fn more_answered(&mut self, act: Act, answer: &Value) {
        match act {
            Act::Callbacks => self.open_list(act, &answer["open"], &["name", "phone", "about", "asked_at"]),
            Act::RefundsDue => self.open_list(act, &answer["due"], &["number", "name", "phone", "amount", "cause"]),
            Act::InsuranceList => {
                self.open_list(act, &answer["open"], &["number", "name", "insurance_no", "mode", "amount"]);
            }
            Act::CallbackDone | Act::EndRefundDue | Act::EndInsurance => {
                let text = self.t("已登记", "recorded").to_owned();
                self.ask(self.listed, json!({}));
                self.say(text);
            }
            Act::Handover => {
                self.step = Step::Result;
                let lines = show::answer(&self.profile, act, answer).lines().map(str::to_owned).collect();
                self.stage = Stage::Sheet(Sheet { title: self.t("交接单", "Hand-over sheet").to_owned(), lines });
            }
            Act::IssueForms => {
                self.home();
                let text = self.t("已发放,待补打的凭证按 F11", "issued; F11 prints what waits").to_owned();
                self.say(text);
            }
            Act::SpoilForm => {
                self.to_print = answer["charge"].as_i64().into_iter().collect();
                self.home();
                self.print_next();
            }
            Act::CompletePatient => {
                self.home();
                let text = self.t("已补全", "completed").to_owned();
                self.say(text);
            }
            _ => {}
        }
    }

    fn open_list(&mut self, listed: Act, found: &Value, keys: &[&str]) {
        self.listed = listed;
        self.step = Step::Ending;
        let rows = found.as_array().into_iter().flatten().map(|v| pages::row(v, keys, &[])).collect();
        self.stage = Stage::List(pages::list(self, rows, keys));
    }
}
