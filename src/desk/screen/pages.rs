//! What the stages hold: rows, fields and lines made of the contract's answers, in the words of hospital people.

use super::super::act::Act;
use super::super::words::label;
use super::app::App;
use super::stage::{Due, Field, Form, List, Row};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Value, json};

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn heads<'a>(app: &App, keys: &[&'a str]) -> Vec<&'a str> {
    keys.iter().map(|k| label(k, app.english())).collect()
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

pub fn list(app: &App, rows: Vec<Row>, keys: &[&str]) -> List {
    List::new(app.title(), &heads(app, keys), rows)
}

/// Name, sex, age and category of the patient whose turn it is.
pub fn who(app: &App) -> String {
    let Some(p) = &app.patient else { return String::new() };
    let sex = sex(app, text(p, "sex"));
    format!("{} {sex} {} {} {}", text(p, "name"), text(p, "age"), text(p, "record_no"), text(p, "category_name"))
}

fn sex<'a>(app: &App, code: &'a str) -> &'a str {
    match code {
        "1" => app.t("男", "M"),
        "2" => app.t("女", "F"),
        "9" => app.t("未知", "?"),
        other => other,
    }
}

pub fn home(app: &App) -> Vec<String> {
    let pairs = [
        ("F2  挂号:查找或新建患者,选医生,收费", "F2  Register: find or enter a patient, choose a doctor, take the fee"),
        ("F3  收费:待收费医嘱,加收项目,结算", "F3  Charge: doctors' orders, more items, payment"),
        ("F5  退费、退号:须审批人签字", "F5  Refund, cancel: a second person signs"),
        ("F6  发药、执行:已缴费待执行的医嘱", "F6  Hand out, carry out: what is paid"),
        ("F7  候诊队列", "F7  Queue"),
        ("F9  班结", "F9  Close the shift"),
        ("F11 待补打的凭证", "F11 Vouchers to be printed"),
        (
            "F12 其他:发放票据、电话回访、待退费、医保补结算、交接单",
            "F12 More: rolls, telephone calls, refunds due, insurance, hand-over",
        ),
        ("F10 退出", "F10 Leave"),
    ];
    pairs.iter().map(|(zh, en)| app.t(zh, en).to_owned()).collect()
}

pub fn patients(app: &App, found: &[Value]) -> List {
    let keys = ["record_no", "name", "sex", "age", "phone", "category_name"];
    let mut rows: Vec<Row> = found
        .iter()
        .map(|p| {
            let mut row = row(p, &keys, &["card", "id_no"]);
            row.cells[2] = String::from(sex(app, text(p, "sex")));
            row
        })
        .collect();
    if app.task == super::app::Task::Register {
        let cells = vec![String::new(), app.t("+ 新患者", "+ new patient").to_owned()];
        rows.push(Row { cells, find: String::new(), value: Value::Null });
    }
    list(app, rows, &keys)
}

/// The fields of a new patient; what was looked for stands where it belongs.
pub fn new_patient(app: &App, looked_for: &str) -> Form {
    let digits = looked_for.chars().filter(char::is_ascii_digit).count();
    let field = |key, zh, en| Field::new(key, app.t(zh, en));
    let mut fields = vec![
        field("name", "姓名", "Name"),
        field("initials", "拼音首字母", "Initials"),
        field("sex", "性别(1男 2女 9未知)", "Sex (1 m, 2 f, 9 unknown)"),
        field("birth_date", "出生日期", "Date of birth"),
        field("id_no", "身份证号", "ID number"),
        field("phone", "联系电话", "Phone"),
        field("category", "费别代码(空为自费)", "Category (empty: self-paid)"),
    ];
    let place = match (digits, looked_for.len()) {
        (17 | 18, 18) => 4,
        (11, 11) => 5,
        _ if looked_for.is_ascii() => 1,
        _ => 0,
    };
    fields[place].text = String::from(looked_for);
    let note = app.t("姓名留空即按无名氏建档,以后补全", "without a name: entered as unknown, completed later");
    Form { at: usize::from(place == 0), ..Form::new(app.t("新患者建档", "New patient"), fields).note(note) }
}

pub fn person(form: &Form) -> Value {
    let mut ask = json!({});
    for field in form.fields.iter().filter(|f| !f.text.trim().is_empty()) {
        ask[field.key] = json!(field.text.trim());
    }
    if form.text("name").is_empty() {
        ask["unknown"] = json!(true);
    }
    ask
}

fn session<'a>(app: &App, code: &'a str) -> &'a str {
    match code {
        "am" => app.t("上午", "am"),
        "pm" => app.t("下午", "pm"),
        "night" => app.t("夜间", "night"),
        other => other,
    }
}

pub fn appointments(app: &App, found: &[Value]) -> List {
    let keys = ["from", "to", "department", "doctor"];
    let mut rows: Vec<Row> = found.iter().map(|a| row(a, &keys, &[])).collect();
    let cells = vec![String::new(), String::new(), app.t("不取预约号,另选医生", "another doctor").to_owned()];
    rows.push(Row { cells, find: String::new(), value: Value::Null });
    list(app, rows, &keys)
}

pub fn doctors(app: &App, found: &[Value]) -> List {
    let keys = ["session", "department", "doctor", "level", "fee", "left"];
    let rows = found
        .iter()
        .map(|s| {
            let mut row = row(s, &keys, &["department_initials", "doctor_initials", "department_code"]);
            row.cells[0] = String::from(session(app, text(s, "session")));
            row
        })
        .collect();
    let mut list = list(app, rows, &keys);
    list.title = format!("{} - {}", app.title(), who(app));
    list
}

pub fn items(app: &App, found: &[Value]) -> List {
    let keys = ["code", "name", "spec", "unit", "price"];
    let mut list = list(app, found.iter().map(|i| row(i, &keys, &[])).collect(), &keys);
    list.head[1] = String::from(app.t("项目", "item"));
    list
}

fn kind<'a>(app: &App, code: &'a str) -> &'a str {
    match code {
        "drug" => app.t("处方", "prescription"),
        "lab" => app.t("检验", "laboratory"),
        "exam" => app.t("检查", "examination"),
        "treatment" => app.t("治疗", "treatment"),
        "registration" => app.t("挂号", "registration"),
        "order" => app.t("收费", "charge"),
        other => other,
    }
}

pub fn due_of_order(app: &App, order: &Value) -> Due {
    let names: Vec<&str> = order["lines"].as_array().into_iter().flatten().map(|l| text(l, "name")).collect();
    let cells = vec![
        kind(app, text(order, "kind")).to_owned(),
        format!("{} {}", text(order, "department"), text(order, "doctor")),
        names.join(" "),
        text(order, "amount").to_owned(),
    ];
    Due { cells, order: order["order"].as_i64(), item: None, on: true }
}

pub fn due_of_item(item: &Value, quantity: &str) -> Due {
    let code = text(item, "code").to_owned();
    let name = format!("{} x{quantity}", text(item, "name"));
    // As the server rounds: half away from zero. A quantity that is no number is refused there.
    let product =
        text(item, "price").parse::<Decimal>().ok().zip(quantity.parse().ok()).and_then(|(p, q)| p.checked_mul(q));
    let amount = product.map(|p| p.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero));
    let amount = amount.map_or_else(String::new, |a| format!("{a:.2}"));
    Due {
        cells: vec!["+".to_owned(), code.clone(), name, amount],
        order: None,
        item: Some((code, quantity.to_owned())),
        on: true,
    }
}

pub fn charges(app: &App, found: &[Value], open: bool) -> List {
    let keys = ["number", "kind", "name", "charged_at", "paid"];
    let rows = found
        .iter()
        .filter(|c| !open || c["status"] == 0)
        .map(|c| {
            let mut row = row(c, &keys, &["receipt_no", "form"]);
            if row.cells[0].is_empty() {
                row.cells[0] = c["receipt_no"].to_string();
            }
            row.cells[1] = String::from(kind(app, text(c, "kind")));
            row.cells[3] = time(app, text(c, "charged_at"));
            row
        })
        .collect();
    list(app, rows, &keys)
}

fn time(app: &App, at: &str) -> String {
    let zone = crate::clock::zone(&app.profile.site);
    chrono::DateTime::parse_from_rfc3339(at)
        .map_or_else(|_| at.to_owned(), |t| t.with_timezone(&zone).format("%m-%d %H:%M").to_string())
}

/// The lines of a charge, for choosing what goes back.
pub fn lines_of(charge: &Value) -> Vec<String> {
    let line = |l: &Value| {
        format!(
            "{}. {} {} x {} = {}",
            l["line"],
            text(l, "name"),
            text(l, "price"),
            text(l, "quantity"),
            text(l, "amount")
        )
    };
    charge["lines"].as_array().into_iter().flatten().map(line).collect()
}

pub fn paid_orders(app: &App, found: &[Value]) -> List {
    let keys = ["record_no", "name", "kind", "doctor", "lines"];
    let rows = found
        .iter()
        .map(|o| {
            let mut row = row(o, &keys, &[]);
            row.cells[2] = String::from(kind(app, text(o, "kind")));
            let lines = o["lines"].as_array().into_iter().flatten();
            let lines: Vec<String> = lines.map(|l| format!("{} x{}", text(l, "name"), text(l, "quantity"))).collect();
            row.cells[4] = lines.join(", ");
            row
        })
        .collect();
    list(app, rows, &keys)
}

pub fn queue(app: &App, found: &[Value]) -> List {
    let keys = ["queue_no", "name", "department", "doctor", "session"];
    let rows = found
        .iter()
        .map(|r| {
            let mut row = row(r, &keys, &[]);
            row.cells[4] = String::from(session(app, text(r, "session")));
            row
        })
        .collect();
    list(app, rows, &keys)
}

/// The figures of a shift, two a line.
pub fn figures(app: &App, shift: &Value) -> Vec<String> {
    let keys = [
        "charges",
        "refunds",
        "registrations",
        "paid",
        "refunded",
        "cash",
        "first_number",
        "last_number",
        "first_form",
        "last_form",
        "forms",
        "not_printed",
        "proofs",
    ];
    let mut lines: Vec<String> = Vec::new();
    for pair in keys.chunks(2) {
        let shown: Vec<String> = pair
            .iter()
            .map(|k| {
                let value =
                    shift[*k].as_str().map_or_else(|| shift[*k].to_string().replace("null", "-"), str::to_owned);
                format!("{}: {value}", label(k, app.english()))
            })
            .collect();
        lines.push(shown.join("    "));
    }
    for method in shift["methods"].as_array().into_iter().flatten() {
        lines.push(format!("  {}  {}", text(method, "name"), text(method, "amount")));
    }
    let void: Vec<&str> = shift["void"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !void.is_empty() {
        lines.push(format!("{}: {}", label("void", app.english()), void.join(" ")));
    }
    for (key, zh, en) in [("refunds_due", "待退费", "refunds due"), ("insurance", "医保补结算", "insurance to settle")]
    {
        if shift[key]["count"].as_i64() > Some(0) {
            lines.push(format!("{}: {}, {}", app.t(zh, en), shift[key]["count"], text(&shift[key], "amount")));
        }
    }
    lines
}

/// What was done, for the cashier to tell the patient.
pub fn result(app: &App, act: Act, answer: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let mut said = |zh: &str, en: &str, value: &str| {
        if !value.is_empty() {
            lines.push(format!("{}: {value}", if app.english() { en } else { zh }));
        }
    };
    match act {
        Act::CloseShift => {
            said("实点现金", "counted", text(answer, "counted"));
            said("应有现金", "expected", text(answer, "cash"));
            said("长短款", "over/short", text(answer, "over"));
            lines.extend(figures(app, answer));
            return lines;
        }
        Act::Register => {
            said("就诊序号", "queue no", &answer["queue_no"].to_string());
            said("挂号单号", "registration no", text(answer, "registration_no"));
        }
        Act::PaidOnPaper => said("已缴费(凭纸质凭证)", "paid by paper", text(answer, "paper_no")),
        Act::Refund | Act::CancelRegistration => {
            said("退现金", "cash back", text(answer, "refunded"));
            if text(answer, "due") != "0.00" {
                said("待退费(恢复后退)", "refund due after recovery", text(answer, "due"));
            }
        }
        _ => {}
    }
    said("实收", "paid", text(answer, "paid"));
    said("收", "given", text(answer, "tendered"));
    said("找零", "change", text(answer, "change"));
    for charge in answer["charges"].as_array().into_iter().flatten() {
        let form = text(charge, "form");
        let waits = if form.is_empty() {
            app.t("票据已用完,待补打", "the roll is at its end: to be printed")
        } else {
            form
        };
        lines.push(format!("{} {} {waits}", text(charge, "number"), text(charge, "paid")));
        if act != Act::Register {
            for line in charge["lines"].as_array().into_iter().flatten() {
                lines.push(format!(
                    "    {} {} > {} {}",
                    text(line, "name"),
                    text(line, "amount"),
                    text(line, "where"),
                    text(line, "where_at")
                ));
            }
        }
    }
    lines
}
