//! The report as a page and as Markdown: the same facts, the same order, in one language.

use super::chart;
use super::facts::{Behind, EventFacts, Facts};
use crate::cli::Site;
use crate::clock;
use crate::error::{Cannot, Result};
use crate::incident::{standing, templates, timeline};
use crate::plan::Plan;
use chrono::{DateTime, TimeDelta, Utc};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// A page that needs nothing but a browser, and prints on A4.
pub fn html(site: &Site, plan: &Plan, facts: &Facts, language: &str) -> Result<String> {
    let chart = chart::per_minute(&site.profile.site, facts, language)?;
    let context = context! { chart, ..common(site, plan, facts, language) };
    templates::environment()
        .get_template("report.html")
        .and_then(|t| t.render(context))
        .cannot("write the page of the report")
}

pub fn markdown(site: &Site, plan: &Plan, facts: &Facts, language: &str) -> Result<String> {
    let doing = "write the Markdown of the report";
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // What people typed must not become a table's border, a heading or markup.
    environment.set_formatter(|out, state, value| {
        let harmless =
            value.as_str().map(|text| text.replace('|', "\\|").replace(['\n', '\r'], " ").replace('<', "&lt;"));
        minijinja::escape_formatter(out, state, &harmless.map_or_else(|| value.clone(), Value::from))
    });
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().cannot(doing)?);
    environment
        .render_str(include_str!("../../../templates/plan/report.md"), common(site, plan, facts, language))
        .cannot(doing)
}

/// Everything that both say, in words.
fn common(site: &Site, plan: &Plan, facts: &Facts, language: &str) -> Value {
    let of = &site.profile.site;
    let zone = clock::zone(of);
    let full = |at: DateTime<Utc>| at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S").to_string();
    let incident = &facts.incident;
    let level = |n: u8| plan.level(n).map_or_else(|| n.to_string(), |l| l.name.of(language).to_owned());
    let entries = timeline::entries(plan, &facts.source, &facts.acts, language);
    let phases: Vec<Value> = incident
        .phases
        .iter()
        .map(|(began, phase)| {
            let of_phase = entries.iter().filter(|e| standing::phase_at(&incident.phases, e.at) == *phase);
            let lines: Vec<Value> =
                of_phase.map(|e| context! { at => full(e.at), by => &e.by, text => &e.text }).collect();
            context! { name => phase.name(language), began => full(*began), lines }
        })
        .collect();
    let task = |t: &Behind| {
        let found = plan.task.iter().find(|p| p.id == t.task);
        context! {
            text => found.map_or(t.task.as_str(), |p| p.text.of(language)),
            role => found.and_then(|p| plan.role(&p.role)).map_or("", |r| r.name.of(language)),
            due => t.due.map(full), done => t.done.map(full),
            late => t.late_seconds.map(|s| clock::length(TimeDelta::seconds(s))),
        }
    };
    context! {
        language, t => words(language), site => &of.name, plan => plan.name.of(language), id => &incident.id,
        cause => incident.cause.as_deref().and_then(|c| plan.cause(c)).map_or("—", |c| c.name.of(language)),
        began => full(incident.began), started => incident.started.map(full), ended => incident.ended.map(full),
        lasted => clock::length(incident.ended.unwrap_or_else(Utc::now) - incident.began),
        levels => incident.levels.iter().map(|(at, n)| context! { at => full(*at), name => level(*n) }).collect::<Vec<_>>(),
        phases, events => facts.events.iter().map(|e| event(e, &full, language)).collect::<Vec<_>>(),
        tasks_done => facts.tasks_done, notices => facts.notices,
        tasks_late => facts.tasks_late.iter().map(task).collect::<Vec<_>>(),
        tasks_open => facts.tasks_open.iter().map(task).collect::<Vec<_>>(),
        causes => &facts.causes,
        improvements => facts.improvements.iter().map(|i| context! { text => &i.text, owner => &i.owner, due => i.due.to_string() }).collect::<Vec<_>>(),
        open => facts.open(), written => full(Utc::now()), zone => zone.name(),
    }
}

fn event(e: &EventFacts, full: &impl Fn(DateTime<Utc>) -> String, language: &str) -> Value {
    let length = |s: i64| clock::length(TimeDelta::seconds(s));
    let seconds = |s: f64| format!("{s:.1} s");
    let figures = &e.figures;
    let windows: Vec<Value> = figures
        .windows
        .iter()
        .map(|w| {
            let name = [w.application.as_str(), w.user.as_str(), w.address.as_str()]
                .iter()
                .filter(|t| !t.is_empty())
                .copied()
                .collect::<Vec<_>>()
                .join(" · ");
            let money: Vec<Value> =
                w.money.iter().map(|(column, sum)| context! { column, sum => sum.to_string() }).collect();
            context! { name, units => w.units, money }
        })
        .collect();
    let conflicts: Vec<Value> = figures
        .conflicts
        .iter()
        .map(|c| {
            let (zh, en) = match (c.take.as_str(), c.by_policy) {
                ("standby", false) => ("采用应急库", "the standby's was taken"),
                ("primary", false) => ("采用主库", "the primary's was taken"),
                ("link", _) => ("并入已有记录", "linked to the row that was there"),
                ("standby", true) => ("按规则采用应急库", "the standby's, by the table's rule"),
                ("primary", true) => ("按规则采用主库", "the primary's, by the table's rule"),
                _ => ("待核实", "waits for a person"),
            };
            let become_of = if language == "zh-CN" { zh } else { en };
            context! { kind => &c.kind, table => c.table.as_deref().unwrap_or("—"), become_of, count => c.count }
        })
        .collect();
    context! {
        id => &e.event, opened => e.opened_at.map(full), until_open => e.until_open_seconds.map(length),
        switch => e.switch_seconds.map(seconds), returned => e.returned_at.map(full), return_took => e.return_seconds.map(seconds),
        data_until => e.data_until.map(full), gap => e.gap_seconds.map(length),
        done => figures.per_minute.iter().map(|(_, n)| n).sum::<u64>(),
        busiest => figures.per_minute.iter().map(|(_, n)| *n).max(),
        totals => totals(&figures.reconcile), windows, conflicts, r => Value::from(Serde(&figures.reconcile)),
        reports => figures.reports.iter().map(|(name, rows)| context! { name, rows }).collect::<Vec<_>>(),
        open => &figures.open,
    }
}

/// The reconciliation's lines by column: charges, refunds and all groups together.
fn totals(reconcile: &serde_json::Value) -> Vec<Value> {
    const SUMS: [&str; 5] = ["captured", "merged", "held", "rejected", "primary"];
    let mut found: BTreeMap<String, [Decimal; 5]> = BTreeMap::new();
    for line in reconcile["table"].as_array().into_iter().flatten() {
        let text = |key: &str| line[key].as_str().unwrap_or_default();
        let sums = found.entry(format!("{}.{}", text("table"), text("column"))).or_default();
        for (sum, key) in sums.iter_mut().zip(SUMS) {
            *sum += text(key).parse::<Decimal>().unwrap_or_default();
        }
    }
    let line = |(name, sums): (String, [Decimal; 5])| {
        let [captured, merged, held, rejected, primary] = sums.map(|s| s.to_string());
        context! { name, captured, merged, held, rejected, primary }
    };
    found.into_iter().map(line).collect()
}

/// Key, 中文, English.
const WORDS: [(&str, &str, &str); 66] = [
    ("money", "金额", "Money"),
    ("charge", "收", "charge"),
    ("refund", "退", "refund"),
    ("by_group", "分组明细", "By group"),
    ("title", "应急事件总结报告", "Report of an emergency"),
    ("cause", "原因", "Cause"),
    ("began", "开始", "Began"),
    ("started", "启动预案", "Plan started"),
    ("ended", "终止", "Ended"),
    ("not_ended", "尚未终止", "not ended"),
    ("lasted", "历时", "Lasted"),
    ("levels", "级别", "Levels"),
    ("timeline", "经过", "Timeline"),
    ("time", "时间", "Time"),
    ("by", "人员", "By"),
    ("what", "内容", "What"),
    ("event", "应急运行", "Event"),
    ("opened", "应急库打开", "Standby opened"),
    ("until_open", "从开始到窗口恢复", "From the beginning to working windows"),
    ("switch", "切换用时", "The switch took"),
    ("returned", "窗口返回主库", "Windows back on the primary"),
    ("return_took", "返回用时", "The return took"),
    ("data_until", "应急库数据截至", "The standby's data ended"),
    ("gap", "缺口", "Gap"),
    ("chart", "每分钟业务笔数", "Transactions per minute"),
    ("done", "应急库业务笔数", "Transactions on the standby"),
    ("busiest", "最忙的一分钟", "Busiest minute"),
    ("windows", "各窗口", "By window"),
    ("window", "窗口", "Window"),
    ("units", "业务笔数", "Transactions"),
    ("conflicts", "冲突与处理", "Conflicts and decisions"),
    ("kind", "类别", "Kind"),
    ("table", "表", "Table"),
    ("decision", "处理", "Decision"),
    ("count", "笔数", "Count"),
    ("reconciliation", "对账", "Reconciliation"),
    ("captured", "应回传", "Captured"),
    ("merged", "已回传", "Merged"),
    ("held", "待核实", "Held"),
    ("rejected", "不予回传", "Rejected"),
    ("primary", "主库现有", "Primary holds"),
    ("group", "分组", "Group"),
    ("way", "收退", "Way"),
    ("rows", "行", "Rows"),
    ("balanced", "账平", "It balances, to the cent."),
    ("unbalanced", "账不平", "IT DOES NOT BALANCE."),
    ("no_reconciliation", "没有对账结果", "There is no reconciliation."),
    ("differences", "主库后来的差异", "Later differences on the primary"),
    ("accepted", "已确认", "accepted"),
    ("slips", "应急手工单", "Paper slips"),
    ("keyed", "已补录", "Keyed"),
    ("outstanding", "未收回", "Outstanding"),
    ("open_reports", "未了事项", "Still open"),
    ("tasks", "任务", "Tasks"),
    ("tasks_done", "完成", "done"),
    ("tasks_late", "超时完成的任务", "Tasks done late"),
    ("tasks_open", "未报完成的任务", "Tasks that nobody said are done"),
    ("role", "岗位", "Post"),
    ("due", "应完成", "Due"),
    ("late", "超时", "Late by"),
    ("notices", "发布通知", "Notices"),
    ("causes", "原因分析", "Causes"),
    ("improvements", "改进措施", "Improvements"),
    ("owner", "责任人", "Owner"),
    ("signed", "签字", "Signed off"),
    ("none", "无", "none"),
];

fn words(language: &str) -> Value {
    let pick = |zh: &str, en: &str| if language == "en" { en.to_owned() } else { zh.to_owned() };
    let words: BTreeMap<String, String> = WORDS.iter().map(|(key, zh, en)| ((*key).to_owned(), pick(zh, en))).collect();
    words.into()
}
