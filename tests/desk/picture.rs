//! A terminal's screen as an HTML page, for the pictures in the README (`make screens-png`).

use std::fmt::Write as _;
use vt100::{Color, Screen};

/// Half the width of a Chinese character, in pixels.
const HALF: u16 = 9;

/// Every cell at its place, so that no font's widths matter.
pub fn page(screen: &Screen) -> String {
    let (rows, columns) = (screen.size().0.get(), screen.size().1.get());
    let (width, height) = (columns * HALF + 16, rows * 20 + 16);
    let mut html = format!(
        "<meta charset=utf-8><style>body{{margin:0;background:#101418;width:{width}px;height:{height}px;position:relative;\
         font:16px/20px 'Noto Sans Mono CJK SC',monospace}}i{{position:absolute;height:20px;font-style:normal;text-align:center;white-space:pre}}</style>"
    );
    for (row, column) in (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))) {
        let Some(cell) = screen.cell(row, column).filter(|c| !c.is_wide_continuation()) else { continue };
        let (mut ink, mut paper) = (colour(cell.fgcolor(), "#d8dee4"), colour(cell.bgcolor(), "#101418"));
        if cell.inverse() {
            std::mem::swap(&mut ink, &mut paper);
        }
        let cells = if cell.is_wide() { 2 } else { 1 };
        let text = cell.contents().replace('&', "&amp;").replace('<', "&lt;");
        let weight = if cell.bold() { ";font-weight:bold" } else { "" };
        let _ = write!(
            html,
            "<i style='left:{}px;top:{}px;width:{}px;color:{ink};background:{paper}{weight}'>{text}</i>",
            8 + column * HALF,
            8 + row * 20,
            cells * HALF
        );
    }
    html
}

/// The sixteen colours as most terminals have them.
fn colour(of: Color, default: &str) -> String {
    const NAMED: [&str; 16] = [
        "#101418", "#c0392b", "#2e9e5b", "#c99a1d", "#2f6fb5", "#9b59b6", "#1f9c9c", "#d8dee4", "#6b7680", "#e8574a",
        "#4cc47c", "#f0c24b", "#5c9ee0", "#b980d0", "#4cc7c7", "#ffffff",
    ];
    match of {
        Color::Default => default.to_owned(),
        Color::Idx(n) => NAMED.get(usize::from(n)).copied().unwrap_or(default).to_owned(),
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
    }
}
