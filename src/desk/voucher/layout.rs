//! The voucher as lines of a width, counted in columns: a Chinese character takes two.

use super::super::words::label;
use crate::clock;
use crate::profile::Profile;
use chrono::DateTime;
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

/// How a line stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    Plain,
    Bold,
    /// Double height and width, where the printer can.
    Title,
}

/// One printed line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    pub text: String,
    pub weight: Weight,
}

/// Lines before the first that is about the charge.
pub const HEAD: usize = 3;

/// 应急收费凭证, and what a refund and an exchange are called beside it. Never 发票 or 票据.
pub fn title(data: &Value, english: bool) -> String {
    let refund = data["status"] == 2;
    let reprint = data["printed_at"].is_string();
    let title = match (english, refund) {
        (false, false) => "应急收费凭证",
        (false, true) => "应急退费凭证(红冲)",
        (true, false) => "Emergency charge voucher",
        (true, true) => "Emergency refund voucher",
    };
    let again = data["reprints"].as_i64().unwrap_or(0) + 1;
    match (reprint, english) {
        (false, _) => title.to_owned(),
        (true, false) => format!("{title} 重打第{again}次"),
        (true, true) => format!("{title}, copy {again}"),
    }
}

/// What the voucher can be exchanged for.
pub fn exchange(english: bool) -> &'static str {
    if english {
        "To be exchanged for the official e-invoice after recovery"
    } else {
        "系统恢复后凭此换开医疗电子票据"
    }
}

/// All lines of a voucher. Nothing is cut off but the name of an item.
pub fn lines(profile: &Profile, data: &Value, width: usize) -> Vec<Printed> {
    let english = profile.site.language == "en";
    let text = |key: &str| data[key].as_str().map_or_else(|| data[key].to_string().replace("null", ""), str::to_owned);
    let named = |key: &str| format!("{}: {}", label(key, english), text(key));
    let time = DateTime::parse_from_rfc3339(&text("charged_at"))
        .map(|t| clock::full(clock::zone(&profile.site), t.to_utc()))
        .unwrap_or_default();
    let mut out = vec![
        Printed { text: centred(&profile.site.name, width), weight: Weight::Bold },
        Printed { text: centred(&title(data, english), width), weight: Weight::Title },
        Printed { text: centred(exchange(english), width), weight: Weight::Plain },
    ];
    let rule = "-".repeat(width);
    let plain = |text: String| Printed { text, weight: Weight::Plain };
    let mut pairs: Vec<String> =
        ["number", "form", "record_no", "name", "category_name"].iter().map(|k| named(k)).collect();
    if !text("registration_no").is_empty() {
        pairs.extend(["department", "doctor"].iter().map(|k| named(k)));
    }
    out.push(plain(rule.clone()));
    out.extend(flowed(&pairs, width).into_iter().map(plain));
    if data["kind"] == "registration" && data["status"] != 2 {
        out.push(Printed { text: named("queue_no"), weight: Weight::Title });
    }
    out.push(plain(rule.clone()));
    for item in data["lines"].as_array().into_iter().flatten() {
        let get = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
        let sum = format!("{} x {} = {}", money(&get("price")), quantity(&get("quantity")), get("amount"));
        let spec = get("spec");
        let name = if spec.is_empty() { get("name") } else { format!("{} {spec}", get("name")) };
        if name.width() + sum.width() < width {
            out.push(plain(apart(&name, &sum, width)));
        } else {
            out.push(plain(cut(&name, width)));
            out.push(plain(apart("", &sum, width)));
        }
        let place = get("where");
        if !place.is_empty() && data["kind"] != "registration" {
            out.push(plain(cut(&format!("  > {place} {}", get("where_at")), width)));
        }
    }
    out.push(plain(rule.clone()));
    for key in ["total", "discount", "rounding"] {
        if key == "total" || !matches!(text(key).as_str(), "0.00" | "0" | "") {
            out.push(plain(apart(label(key, english), &text(key), width)));
        }
    }
    out.push(Printed { text: apart(label("paid", english), &text("paid"), width), weight: Weight::Bold });
    for pay in data["payments"].as_array().into_iter().flatten() {
        let reference = pay["reference"].as_str().map(|r| format!(" {r}")).unwrap_or_default();
        let method = format!("  {}{reference}", pay["method_name"].as_str().unwrap_or_default());
        out.push(plain(apart(&method, pay["amount"].as_str().unwrap_or_default(), width)));
    }
    match (data["insured"].as_str(), english) {
        (Some("card_left"), false) => out.push(plain("医保: 已留卡,恢复后补结算".to_owned())),
        (Some(_), false) => out.push(plain("医保: 先自费,恢复后凭此补结算".to_owned())),
        (Some("card_left"), true) => out.push(plain("Insurance: card left, settled later".to_owned())),
        (Some(_), true) => out.push(plain("Insurance: paid now, settled later".to_owned())),
        (None, _) => {}
    }
    if !text("reason").is_empty() {
        out.push(plain(named("reason")));
    }
    out.push(plain(rule));
    let tail = [time, named("window"), named("cashier")];
    out.extend(flowed(&tail, width).into_iter().map(plain));
    out
}

/// The lines as text, for a continuous form: it ends with a form feed.
pub fn plain(lines: &[Printed]) -> String {
    let lines: Vec<&str> = lines.iter().map(|l| l.text.as_str()).collect();
    lines.join("\r\n") + "\r\n\u{c}"
}

/// A price without zeros that say nothing, but with two places at least.
fn money(price: &str) -> String {
    let Some((whole, places)) = price.split_once('.') else { return price.to_owned() };
    let kept = places.trim_end_matches('0');
    format!("{whole}.{kept:0<2}")
}

fn quantity(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

fn centred(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(text.width()) / 2))
}

fn apart(left: &str, right: &str, width: usize) -> String {
    format!("{left}{}{right}", " ".repeat(width.saturating_sub(left.width() + right.width()).max(1)))
}

fn cut(text: &str, width: usize) -> String {
    let mut used = 0;
    text.chars()
        .take_while(|c| {
            used += unicode_width::UnicodeWidthChar::width(*c).unwrap_or(0);
            used <= width
        })
        .collect()
}

/// Pieces in as few lines as they fit, two blanks between.
fn flowed(pieces: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for piece in pieces {
        match lines.last_mut() {
            Some(line) if line.width() + 2 + piece.width() <= width => *line += &format!("  {piece}"),
            _ => lines.push(piece.clone()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chinese_character_takes_two_columns() {
        assert_eq!(apart("挂号费", "10.00", 12), "挂号费 10.00");
        assert_eq!(centred("应急", 8), "  应急");
        assert_eq!(cut("阿莫西林胶囊", 7), "阿莫西");
    }

    #[test]
    fn a_price_keeps_its_four_places_and_loses_empty_ones() {
        assert_eq!(money("82.3885"), "82.3885");
        assert_eq!(money("1.0000"), "1.00");
        assert_eq!(money("1.5000"), "1.50");
        assert_eq!(quantity("2.000"), "2");
        assert_eq!(quantity("-0.500"), "-0.5");
    }
}
