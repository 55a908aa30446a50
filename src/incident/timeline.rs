//! What happened, in order: the log of the command post, and beside it the acts of the other programs.

use super::log::Incident;
use super::record::{Record, Said};
use crate::cli::Site;
use crate::error::Result;
use crate::plan::{Audience, Plan};
use crate::store::Act;
use chrono::{DateTime, Utc};

/// One line of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Entry {
    pub at: DateTime<Utc>,
    pub by: String,
    /// `incident` or the program.
    pub from: String,
    pub text: String,
}

/// The acts of other programs that belong to an incident: of the events that were opened in it, and everything that moved
/// windows or data between its beginning and its end.
pub fn acts(site: &Site, incident: &Incident, all: &[Incident]) -> Result<Vec<Act>> {
    let (acts, _) = site.store.journal().read()?;
    // Windows are often moved before anybody has found time to declare an incident.
    let before = all.iter().filter(|i| i.id < incident.id).filter_map(|i| i.ended().map(|r| r.at)).max();
    let until = incident.ended().map_or_else(Utc::now, |r| r.at);
    let is_of_time = |a: &Act| before.is_none_or(|b| a.at > b) && a.at <= until;
    let events: Vec<String> = acts
        .iter()
        .filter(|a| is_of_time(a) && matches!(a.act.as_str(), "switch standby" | "switch paper"))
        .filter_map(|a| a.event.clone())
        .collect();
    let of_event = |a: &Act| a.event.as_ref().is_some_and(|e| events.contains(e));
    Ok(acts.into_iter().filter(|a| of_event(a)).collect())
}

/// The events that an incident opened, oldest first.
#[must_use]
pub fn events(acts: &[Act]) -> Vec<String> {
    let mut found: Vec<String> = acts.iter().filter_map(|a| a.event.clone()).collect();
    found.sort();
    found.dedup();
    found
}

/// Log and acts in the order of time, in the language asked for. Of the exports and merges that a timer makes only the
/// first and the last are told.
#[must_use]
pub fn entries(plan: &Plan, incident: &Incident, acts: &[Act], language: &str) -> Vec<Entry> {
    let said = incident.records.iter().map(|r| Entry {
        at: r.at,
        by: r.by.clone(),
        from: "his-incident".to_owned(),
        text: words(plan, r, language),
    });
    let often = |a: &&Act| matches!(a.act.as_str(), "export" | "merge" | "hook" | "mirror");
    let ends: Vec<(DateTime<Utc>, &str)> = ["export", "merge", "hook", "mirror"]
        .iter()
        .flat_map(|name| {
            let of: Vec<&Act> = acts.iter().filter(|a| a.act == *name).collect();
            [of.first().map(|a| (a.at, a.act.as_str())), of.last().map(|a| (a.at, a.act.as_str()))]
        })
        .flatten()
        .collect();
    let told = acts.iter().filter(|a| !often(a) || ends.contains(&(a.at, a.act.as_str())));
    let moved = told.map(|a| Entry {
        at: a.at,
        by: a.by.clone(),
        from: a.program.clone(),
        text: format!("{}: {}", act_words(&a.act, language), result_words(&a.result, language)),
    });
    let mut all: Vec<Entry> = said.chain(moved).collect();
    all.sort_by_key(|e| e.at);
    all
}

/// What a record says.
#[must_use]
pub fn words(plan: &Plan, record: &Record, language: &str) -> String {
    let zh = language == "zh-CN";
    let role = |id: &str| plan.role(id).map_or_else(|| id.to_owned(), |r| r.name.of(language).to_owned());
    let level = |n: u8| plan.level(n).map_or_else(|| n.to_string(), |l| l.name.of(language).to_owned());
    let noted = |note: &Option<String>| note.as_ref().map(|n| format!(" ({n})")).unwrap_or_default();
    let ordered = |by: &Option<String>| {
        by.as_ref().map(|b| if zh { format!("，{b}决定") } else { format!(", ordered by {b}") }).unwrap_or_default()
    };
    match &record.said {
        Said::Warn { department, text } => {
            if zh {
                format!("预警：{department}报告：{text}")
            } else {
                format!("warning: {department} reports: {text}")
            }
        }
        Said::Dismiss { why } => {
            if zh {
                format!("预警解除：{why}")
            } else {
                format!("warning dismissed: {why}")
            }
        }
        Said::Start { cause, level: n, why, ordered_by } => {
            let cause = plan.cause(cause).map_or(cause.as_str(), |c| c.name.of(language));
            let (level, by) = (level(*n), ordered(ordered_by));
            if zh {
                format!("启动预案：{cause}，{level}：{why}{by}")
            } else {
                format!("plan started: {cause}, level {level}: {why}{by}")
            }
        }
        Said::Level { level: n, why, ordered_by } => {
            let (level, by) = (level(*n), ordered(ordered_by));
            if zh {
                format!("级别调整为{level}：{why}{by}")
            } else {
                format!("level changed to {level}: {why}{by}")
            }
        }
        Said::Phase { phase } => {
            let phase = phase.name(language);
            if zh { format!("进入{phase}阶段") } else { format!("phase: {phase}") }
        }
        Said::Done { task, note } => {
            let text = plan.task.iter().find(|t| t.id == *task).map_or(task.as_str(), |t| t.text.of(language));
            if zh { format!("完成：{text}{}", noted(note)) } else { format!("done: {text}{}", noted(note)) }
        }
        Said::Note { text } => {
            if zh {
                format!("记录：{text}")
            } else {
                format!("note: {text}")
            }
        }
        Said::Call { role: id, reached, note } => match (zh, reached) {
            (true, true) => format!("已通知{}{}", role(id), noted(note)),
            (true, false) => format!("未联系到{}{}", role(id), noted(note)),
            (false, true) => format!("reached: {}{}", role(id), noted(note)),
            (false, false) => format!("not reached: {}{}", role(id), noted(note)),
        },
        Said::Notice { notice, to, .. } => {
            let title = plan.notice.iter().find(|n| n.id == *notice).map_or(notice.as_str(), |n| n.title.of(language));
            let to = audience(*to, language);
            if zh { format!("发布通知（{to}）：{title}") } else { format!("notice to {to}: {title}") }
        }
        Said::End { why, ordered_by } => {
            let by = ordered(ordered_by);
            if zh { format!("终止预案：{why}{by}") } else { format!("plan ended: {why}{by}") }
        }
        Said::Cause { text } => {
            if zh {
                format!("原因：{text}")
            } else {
                format!("cause: {text}")
            }
        }
        Said::Improvement { text, owner, due } => {
            if zh {
                format!("改进：{text}（{owner}，{due} 前）")
            } else {
                format!("improvement: {text} ({owner}, by {due})")
            }
        }
    }
}

/// Whom a notice is for, in words.
#[must_use]
pub fn audience(to: Audience, language: &str) -> &'static str {
    let (zh, en) = match to {
        Audience::Patients => ("患者及家属", "patients and families"),
        Audience::Staff => ("职工", "staff"),
        Audience::Superiors => ("上级", "superiors"),
    };
    if language == "zh-CN" { zh } else { en }
}

fn act_words(act: &str, language: &str) -> String {
    const WORDS: [(&str, &str); 16] = [
        ("switch standby", "打开应急库"),
        ("switch paper", "转手工单"),
        ("switch primary", "返回主库"),
        ("confirm standby", "确认应急库"),
        ("close standby", "关闭应急库"),
        ("give up the standby", "放弃应急库"),
        ("fence", "隔离主库"),
        ("fence at first contact", "主库恢复应答时隔离"),
        ("unfence", "解除主库隔离"),
        ("export", "导出批次"),
        ("merge", "数据回传"),
        ("resolve", "处理待核实业务"),
        ("import paper", "补录手工单"),
        ("accept difference", "确认对账差异"),
        ("sign off", "签字"),
        ("switch ends other runs", "结束其他任务"),
    ];
    let zh = WORDS.iter().find(|(en, _)| *en == act).filter(|_| language == "zh-CN");
    zh.map_or_else(|| act.to_owned(), |(_, zh)| (*zh).to_owned())
}

fn result_words(result: &str, language: &str) -> String {
    let zh = match result {
        "begun" => "开始",
        "done" => "完成",
        "pending" => "等待主库应答",
        "refused" => "被拒绝",
        "failed" => "失败",
        other => other,
    };
    if language == "zh-CN" { zh.to_owned() } else { result.to_owned() }
}
