//! Pages of the plan and its notices, and the words on them in both languages.

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use std::collections::BTreeMap;

const OURS: [(&str, &str); 5] = [
    ("base.html", include_str!("../../templates/plan/base.html")),
    ("notice.html", include_str!("../../templates/plan/notice.html")),
    ("cards.html", include_str!("../../templates/plan/cards.html")),
    ("calls.html", include_str!("../../templates/plan/calls.html")),
    ("report.html", include_str!("../../templates/plan/report.html")),
];

/// Templates that cannot be broken by what people write into a plan or a log.
pub fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_loader(|name| Ok(OURS.iter().find(|(n, _)| *n == name).map(|(_, text)| (*text).to_owned())));
    environment
}

/// Fills the text of a notice; a name that is not given is an error that names it.
pub fn fill(text: &str, values: &BTreeMap<String, String>) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.render_str(text, values)
}

/// Key, 中文, English.
const WORDS: [(&str, &str, &str); 17] = [
    ("cards", "岗位应急卡", "Cards of the posts"),
    ("minutes", "分钟内", "min"),
    ("calls", "联系", "Call"),
    ("deputy", "副", "deputy"),
    ("reviewed", "审阅日期", "reviewed"),
    ("call_list", "应急联系表", "Call list"),
    ("post", "岗位", "Post"),
    ("name", "姓名", "Name"),
    ("phone", "电话", "Phone"),
    ("called_at", "通知时间", "Called at"),
    ("outside", "院外", "Outside"),
    ("supplies", "应急物资", "Supplies"),
    ("supply", "名称", "What"),
    ("least", "最低库存", "At least"),
    ("place", "存放地点", "Where"),
    ("fetches", "领取人", "Fetched by"),
    ("counted", "清点", "Counted"),
];

/// The words of the site's language.
pub fn words(language: &str) -> Value {
    let of = |(key, zh, en): &(&str, &str, &str)| {
        ((*key).to_owned(), if language == "en" { (*en).to_owned() } else { (*zh).to_owned() })
    };
    WORDS.iter().map(of).collect::<BTreeMap<String, String>>().into()
}
