//! The screen: a banner that no one can mistake, the stage, a line for messages, the keys.

use super::app::{App, Mood, Step};
use super::stage::{Bill, Form, List, Pay, Sheet, Stage};
use crate::clock;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Row as Cells, Table, TableState};
use rust_decimal::Decimal;
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

pub fn screen(app: &App, frame: &mut Frame) {
    let [banner, body, message, keys] =
        Layout::vertical([Constraint::Length(2), Constraint::Min(3), Constraint::Length(1), Constraint::Length(1)])
            .areas(frame.area());
    self::banner(app, frame, banner);
    match &app.stage {
        Stage::Form(form) => self::form(frame, body, form),
        Stage::List(list) => self::list(app, frame, body, list),
        Stage::Bill(bill) => self::bill(app, frame, body, bill),
        Stage::Pay(pay) => self::pay(app, frame, body, pay),
        Stage::Sheet(sheet) => self::sheet(frame, body, sheet),
    }
    self::message(app, frame, message);
    let style = Style::new().add_modifier(Modifier::REVERSED);
    frame.render_widget(Paragraph::new(keys_of(app)).style(style), keys);
}

fn banner(app: &App, frame: &mut Frame, area: Rect) {
    let standing = &app.standing;
    // The emergency is white on red, a drill black on yellow, a normal day white on blue; each says so in words too.
    let (words, style) = match (&standing.event, standing.drill) {
        (Some(event), true) => {
            (format!("【{} {event}】", app.t("演练", "DRILL")), Style::new().fg(Color::Black).bg(Color::Yellow))
        }
        (Some(event), false) => {
            (format!("【{} {event}】", app.t("应急", "EMERGENCY")), Style::new().fg(Color::White).bg(Color::Red))
        }
        (None, _) => {
            (app.t("【正常 主库】", "【normal: primary】").to_owned(), Style::new().fg(Color::White).bg(Color::Blue))
        }
    };
    let mut first = format!(" {words} {}", app.profile.site.name);
    if let (Some(until), true) = (standing.data_until, standing.event.is_some()) {
        let time = clock::time_of_day(&app.profile.site, until, chrono::Utc::now());
        first += &format!("  {} {time}", app.t("数据截至", "data until"));
    }
    let text = |key: &str| app.login.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut second = String::new();
    if app.logged_in {
        second = format!(
            " {} {}  {} {} {}",
            app.t("窗口", "window"),
            text("window"),
            app.t("收费员", "cashier"),
            text("staff_no"),
            text("name")
        );
        if let Some(left) = app.login.get("forms").and_then(|f| f["left"].as_i64()) {
            let low = if left <= app.profile.desk.low { app.t(" 不足!", " LOW!") } else { "" };
            second += &format!("  {} {left}{low}", app.t("票据剩", "forms left"));
        }
    }
    let style = style.add_modifier(Modifier::BOLD);
    frame.render_widget(Paragraph::new(vec![Line::raw(first), Line::raw(second)]).style(style), area);
}

fn message(app: &App, frame: &mut Frame, area: Rect) {
    let (text, style) = if let Some(why) = &app.trouble {
        let words = app
            .t("连接中断,正在重新连接;已输入的内容保留", "the line is lost and being sought; what you typed is kept");
        (format!(" {words} ({why})"), Style::new().fg(Color::Black).bg(Color::Yellow))
    } else if app.is_waiting() {
        (format!(" {}", app.t("请稍候...", "one moment...")), Style::new())
    } else {
        match &app.message {
            Some((Mood::Refused, text)) => {
                (format!(" ✗ {text}"), Style::new().fg(Color::Red).add_modifier(Modifier::BOLD))
            }
            Some((Mood::Said, text)) => (format!(" {text}"), Style::new().fg(Color::Green)),
            None => (hint_of(app).to_owned(), Style::new().fg(Color::Cyan)),
        }
    };
    frame.render_widget(Paragraph::new(text).style(style), area);
}

/// What the keys of this stage do, beside those that are always there.
fn hint_of(app: &App) -> &str {
    match (app.step, &app.stage) {
        (Step::Doctor, _) => app.t(
            " 输入即筛选  回车 选定  F8 凭纸质凭证(不收钱)",
            " type to find  Enter choose  F8 by paper, no money taken",
        ),
        (Step::Bill, _) => app.t(
            " 回车 结算  空格 选/不选  F6 凭纸质凭证(不收钱)  Esc 换患者",
            " Enter pay  Space on/off  F6 by paper  Esc another patient",
        ),
        (_, Stage::Pay(pay)) if pay.card_left.is_some() => app.t(
            " 回车 确认  Tab 支付方式  F8 分次(金额/交易号)  F4 留卡",
            " Enter confirm  Tab method  F8 a part (amount/number)  F4 leave the card",
        ),
        (_, Stage::Pay(_)) => app.t(
            " 回车 确认  Tab 支付方式  F8 分次(金额/交易号)",
            " Enter confirm  Tab method  F8 a part (amount/number)",
        ),
        (Step::Reprint, _) => app.t(
            " 回车 打印  F4 票据作废(卡纸)  F8 发放新票据  Esc 返回",
            " Enter print  F4 form spoiled  F8 new roll  Esc back",
        ),
        (_, Stage::List(_)) => app.t(" 输入即筛选  回车 选定  Esc 返回", " type to find  Enter choose  Esc back"),
        _ => "",
    }
}

fn keys_of(app: &App) -> &str {
    let in_shift = app.login.get("shift").is_some_and(|s| !s.is_null());
    match (app.logged_in && in_shift, app.logged_in) {
        (true, _) => app.t(
            " F2挂号 F3收费 F5退费 F6发药 F7队列 F9班结 F11补打 F12其他 F10退出",
            " F2 Reg F3 Charge F5 Refund F6 Out F7 Queue F9 Close F11 Print F12 More F10 Quit",
        ),
        (_, true) => app.t(" 回车 开班  F10退出", " Enter open the shift  F10 Quit"),
        _ => app.t(" 回车 下一项  F10退出", " Enter next  F10 Quit"),
    }
}

fn framed<'a>(title: &str) -> Block<'a> {
    Block::bordered().title(format!(" {title} "))
}

fn form(frame: &mut Frame, area: Rect, form: &Form) {
    let block = framed(&form.title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let widest = form.fields.iter().map(|f| f.label.width()).max().unwrap_or(0);
    let mut lines: Vec<Line> =
        form.note.lines().map(|l| Line::styled(l.to_owned(), Style::new().fg(Color::Cyan))).collect();
    // What does not fit is the end of the note, never a field.
    lines.truncate(usize::from(inner.height).saturating_sub(form.fields.len() + 1));
    lines.push(Line::raw(""));
    let top = lines.len();
    for (n, field) in form.fields.iter().enumerate() {
        let shown = if field.masked { "*".repeat(field.text.chars().count()) } else { field.text.clone() };
        let pad = " ".repeat(widest - field.label.width());
        let style = if n == form.at { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() };
        lines.push(Line::styled(format!("{pad}{}: {shown}", field.label), style));
        if n == form.at {
            let x = inner.x + u16::try_from(widest + 2 + shown.width()).unwrap_or(0);
            let y = inner.y + u16::try_from(top + n).unwrap_or(0);
            frame.set_cursor_position(Position::new(x.min(inner.right().saturating_sub(1)), y));
        }
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

fn table<'a>(head: &[String], rows: Vec<Vec<String>>) -> Table<'a> {
    let columns = head.len();
    let width = |n: usize| {
        let cells = rows.iter().filter_map(|r| r.get(n)).map(|c| c.width());
        cells.chain([head.get(n).map_or(0, |h| h.width())]).max().unwrap_or(0)
    };
    let widths: Vec<Constraint> =
        (0..columns).map(|n| Constraint::Max(u16::try_from(width(n)).unwrap_or(40).min(40))).collect();
    Table::new(rows.into_iter().map(Cells::new), widths)
        .header(Cells::new(head.to_vec()).style(Style::new().fg(Color::Cyan)))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .column_spacing(2)
}

fn list(app: &App, frame: &mut Frame, area: Rect, list: &List) {
    let block = framed(&list.title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let [top, rest] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(inner);
    let shown = list.shown();
    let count =
        if shown.is_empty() { app.t("无", "none").to_owned() } else { format!("{}/{}", list.at + 1, shown.len()) };
    let find = format!("{}: {}", app.t("筛选", "Find"), list.filter);
    let x = top.x + u16::try_from(find.width()).unwrap_or(0);
    frame.render_widget(Paragraph::new(format!("{find}   [{count}]")), top);
    frame.set_cursor_position(Position::new(x, top.y));
    let rows = shown.iter().map(|r| r.cells.clone()).collect();
    let mut state = TableState::default().with_selected((!shown.is_empty()).then_some(list.at));
    frame.render_stateful_widget(table(&list.head, rows), rest, &mut state);
}

fn bill(app: &App, frame: &mut Frame, area: Rect, bill: &Bill) {
    let block = framed(&bill.title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let [rest, sum, bottom] =
        Layout::vertical([Constraint::Min(1), Constraint::Length(1), Constraint::Length(1)]).areas(inner);
    let total: Decimal =
        bill.dues.iter().filter(|d| d.on).filter_map(|d| d.cells.last()?.parse::<Decimal>().ok()).sum();
    let line = format!("{}: {total:.2}", app.t("合计(优惠前)", "Sum before discount"));
    frame.render_widget(Paragraph::new(line).style(Style::new().add_modifier(Modifier::BOLD)), sum);
    let head =
        [" ", app.t("类别", "kind"), app.t("开单", "ordered by"), app.t("内容", "what"), app.t("金额", "amount")];
    let rows = bill.dues.iter().map(|d| {
        let mark = if d.on { "[x]" } else { "[ ]" };
        std::iter::once(mark.to_owned()).chain(d.cells.iter().cloned()).collect()
    });
    let mut state = TableState::default().with_selected((!bill.dues.is_empty()).then_some(bill.at));
    frame.render_stateful_widget(table(&head.map(str::to_owned), rows.collect()), rest, &mut state);
    let add =
        format!("{}: {}", app.t("加收项目(编码、名称、首字母)", "Add an item (code, name, initials)"), bill.input);
    frame.set_cursor_position(Position::new(bottom.x + u16::try_from(add.width()).unwrap_or(0), bottom.y));
    frame.render_widget(Paragraph::new(add), bottom);
}

fn pay(app: &App, frame: &mut Frame, area: Rect, pay: &Pay) {
    let block = framed(&pay.title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let big = Style::new().add_modifier(Modifier::BOLD);
    let mut lines =
        vec![Line::raw(""), Line::styled(format!("  {}: {}", app.t("应收", "Due"), pay.due), big), Line::raw("")];
    let methods = pay.methods.iter().enumerate().map(|(n, m)| {
        let style = if n == pay.method { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
        Span::styled(format!(" {} ", m.name), style)
    });
    lines.push(Line::from(std::iter::once(Span::raw("  ")).chain(methods).collect::<Vec<_>>()));
    for part in &pay.parts {
        let number = part.reference.as_deref().unwrap_or_default();
        lines.push(Line::raw(format!("  {}: {} {:.2} {number}", app.t("已付", "part"), part.method.name, part.amount)));
    }
    if let Some(left) = pay.card_left {
        let words = if left {
            app.t("医保: 留卡,恢复后补结算(全额记账)", "insured: card left, all on account")
        } else {
            app.t("医保: 先自费,恢复后补结算", "insured: pays now, settled later")
        };
        lines.push(Line::raw(""));
        lines.push(Line::raw(format!("  {words}")));
    }
    lines.push(Line::raw(""));
    let (wants, is_cash) = pay.chosen().map_or((false, false), |m| (m.wants_reference, m.code == "CASH"));
    let label = match (wants, is_cash) {
        (true, _) => app.t("交易号", "Number of the payment"),
        (false, true) => app.t("收现金(空为不找零)", "Cash given (empty: exact)"),
        (false, false) => app.t("按回车确认", "Enter confirms"),
    };
    let line = format!("  {label}: {}", pay.text);
    frame.set_cursor_position(Position::new(
        inner.x + u16::try_from(line.width()).unwrap_or(0),
        inner.y + u16::try_from(lines.len()).unwrap_or(0),
    ));
    lines.push(Line::styled(line, big));
    frame.render_widget(Paragraph::new(lines), inner);
}

fn sheet(frame: &mut Frame, area: Rect, sheet: &Sheet) {
    let lines: Vec<Line> = sheet.lines.iter().map(|l| Line::raw(format!("  {l}"))).collect();
    frame.render_widget(Paragraph::new(lines).block(framed(&sheet.title)), area);
}
