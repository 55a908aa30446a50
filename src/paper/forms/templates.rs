//! Templates and the words that are printed, in both languages.

use crate::profile::Profile;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};
use std::collections::BTreeMap;

/// The toolkit's own.
const OURS: [(&str, &str); 8] = [
    ("base.html", include_str!("../../../templates/paper/base.html")),
    ("form.html", include_str!("../../../templates/paper/form.html")),
    ("record.html", include_str!("../../../templates/paper/record.html")),
    ("log.html", include_str!("../../../templates/paper/log.html")),
    ("handover.html", include_str!("../../../templates/paper/handover.html")),
    ("order.html", include_str!("../../../templates/paper/order.html")),
    ("index.html", include_str!("../../../templates/paper/index.html")),
    ("runbook.html", include_str!("../../../templates/paper/runbook.html")),
];

/// Kinds that share a template.
const SHARED: [(&str, &str); 4] = [
    ("prescription.html", "order.html"),
    ("treatment.html", "order.html"),
    ("lab.html", "order.html"),
    ("exam.html", "order.html"),
];

/// Templates of the hospital first, then the toolkit's.
#[must_use]
pub fn environment(profile: &Profile) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let own = profile.paper.templates.clone();
    environment.set_loader(move |name| {
        if name.contains(['/', '\\']) || name.starts_with('.') {
            return Ok(None);
        }
        if let Some(path) = own.as_ref().map(|dir| dir.join(name)).filter(|p| p.exists()) {
            let read = std::fs::read_to_string(&path);
            return read
                .map(Some)
                .map_err(|e| minijinja::Error::new(ErrorKind::InvalidOperation, format!("{}: {e}", path.display())));
        }
        let name = SHARED.iter().find(|(kind, _)| *kind == name).map_or(name, |(_, shared)| shared);
        Ok(OURS.iter().find(|(n, _)| *n == name).map(|(_, text)| (*text).to_owned()))
    });
    environment
}

/// True when there is a template of this name.
#[must_use]
pub fn has(environment: &Environment<'_>, name: &str) -> bool {
    !matches!(environment.get_template(name), Err(e) if e.kind() == ErrorKind::TemplateNotFound)
}

/// Everything that is printed beside what the profile says: key, 中文, English.
const WORDS: [(&str, &str, &str); 60] = [
    ("date_line", "日期：　　　　年　　月　　日　　时　　分", "Date: ____________  Time: ______"),
    ("to", "领用", "Issued to"),
    (
        "warning",
        "系统故障期间应急手工单。用圆珠笔填写，字迹清楚，不得涂改；写坏的单子写“作废”并交回，不得丢弃。",
        "Emergency paper slip. Fill in with ball pen, do not erase; write VOID on a spoiled slip and hand it in, never throw one away.",
    ),
    ("patient_part", "患者联", "Patient"),
    ("department_part", "执行科室联", "Executing department"),
    ("stub_part", "存根联", "Stub"),
    (
        "exchange",
        "系统恢复后凭此换开医疗电子票据。本凭证不作报销凭据。",
        "To be exchanged for the official electronic receipt when the system is back. Not valid for reimbursement.",
    ),
    (
        "refund_note",
        "退费以红冲方式补录，原收费凭证须收回附后。",
        "Will be entered as an offset; attach the original receipt.",
    ),
    ("in_words", "金额大写", "Amount in words"),
    ("units", "万 仟 佰 拾 元 角 分", "10k 1k 100 10 1 .1 .01"),
    ("lines_no", "序", "No"),
    ("cut", "沿此线裁开", "cut here"),
    ("signature", "签名", "Signature"),
    ("patient", "姓名", "Name"),
    ("sex", "性别", "Sex"),
    ("age", "年龄", "Age"),
    ("record_no", "门诊号", "Record no"),
    ("department", "科室", "Department"),
    ("phone", "电话", "Phone"),
    ("address", "住址", "Address"),
    ("category", "费别", "Category"),
    ("diagnosis", "临床诊断", "Diagnosis"),
    ("doctor", "医师", "Doctor"),
    ("complaint", "主诉", "Complaint"),
    ("history", "现病史、既往史、过敏史", "History, allergies"),
    ("examination", "查体", "Examination"),
    ("treatment", "处理意见", "Treatment"),
    ("rp", "Rp", "Rp"),
    ("item", "项目", "Item"),
    ("spec", "规格", "Strength"),
    ("quantity", "数量", "Quantity"),
    ("usage", "用法用量", "Directions"),
    ("times", "次数", "Times"),
    ("done_by", "执行者", "Done by"),
    ("done_at", "执行时间", "Done at"),
    ("specimen", "标本", "Specimen"),
    ("sampled_at", "采样时间", "Sampled at"),
    ("body_part", "检查部位", "Part of the body"),
    ("purpose", "检查目的", "Purpose"),
    ("result", "结果", "Result"),
    ("paid", "收费凭证号", "Charge slip no"),
    ("checked", "审核", "Checked"),
    ("prepared", "调配", "Prepared"),
    ("verified", "核对", "Verified"),
    ("dispensed", "发药", "Dispensed"),
    ("handed_over", "交班人", "Handed over by"),
    ("taken_over", "接班人", "Taken over by"),
    ("slips_from_to", "单号起止", "Slips from / to"),
    ("used", "已用", "Used"),
    ("void", "作废", "Void"),
    ("left", "结存", "Left"),
    ("cash", "现金", "Cash"),
    ("remarks", "备注", "Remarks"),
    ("pack_title", "应急箱", "Emergency print pack"),
    ("made_at", "生成时间", "Made at"),
    ("data_until", "数据截至", "Data until"),
    ("pages", "页面", "Pages"),
    ("blank_slips", "空白手工单", "Blank slips"),
    ("sheets", "张", "slips"),
    (
        "pack_use",
        "两套数据库都不能用时，打印本窗口的空白手工单开始手工收费；用过的单号事后逐张补录、作废或登记缺号。",
        "When both databases are down, print the blank slips of your window and write by hand; afterwards every number is keyed, void or missing.",
    ),
];

/// The words of one language, by key.
#[must_use]
pub fn words(language: &str) -> Value {
    WORDS
        .iter()
        .map(|(key, zh, en)| (*key, if language == "en" { *en } else { *zh }))
        .collect::<BTreeMap<_, _>>()
        .into()
}
