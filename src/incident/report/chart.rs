//! Transactions per minute over the whole event, as inline SVG.

use super::facts::Facts;
use crate::clock;
use crate::error::{Error, Result};
use crate::plan::Phase;
use crate::profile::Site;
use chrono::{DateTime, TimeDelta, Utc};
use plotters::prelude::*;

const SIZE: (u32, u32) = (720, 260);
const BAR: RGBColor = RGBColor(0x2b, 0x6c, 0xb0);
const MARK: RGBColor = RGBColor(0xb8, 0x32, 0x2a);

/// The chart, and nothing when the windows did nothing on a standby.
pub fn per_minute(of: &Site, facts: &Facts, language: &str) -> Result<Option<String>> {
    let minutes: Vec<(DateTime<Utc>, u64)> = facts.events.iter().flat_map(|e| e.figures.per_minute.clone()).collect();
    let (Some(first), Some(last)) = (minutes.first().map(|m| m.0), minutes.last().map(|m| m.0)) else {
        return Ok(None);
    };
    let from = first.min(facts.incident.began) - TimeDelta::minutes(1);
    let until = facts.incident.ended.unwrap_or(last).max(last) + TimeDelta::minutes(2);
    let highest = minutes.iter().map(|m| m.1).max().unwrap_or(0).max(1);
    let mut svg = String::new();
    draw(&mut svg, of, &minutes, (from, until), highest, facts, language)
        .map_err(|e| Error::failed("draw the chart of the event", e))?;
    Ok(Some(svg))
}

fn draw(
    svg: &mut String,
    of: &Site,
    minutes: &[(DateTime<Utc>, u64)],
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    highest: u64,
    facts: &Facts,
    language: &str,
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let zone = clock::zone(of);
    // Room above the bars for the names of the phases.
    let top = highest + highest / 3 + 1;
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(8)
        .x_label_area_size(28)
        .y_label_area_size(44)
        .build_cartesian_2d(from.timestamp()..until.timestamp(), 0..top)?;
    let format = if until - from < TimeDelta::minutes(20) { "%H:%M:%S" } else { "%H:%M" };
    let time = |at: &i64| {
        let at = DateTime::from_timestamp(*at, 0).unwrap_or_default();
        at.with_timezone(&zone).format(format).to_string()
    };
    let mut mesh = chart.configure_mesh();
    mesh.disable_x_mesh().light_line_style(TRANSPARENT).x_labels(9).y_labels(6).x_label_formatter(&time).draw()?;
    chart.draw_series(minutes.iter().map(|(at, count)| {
        let begins = at.timestamp();
        Rectangle::new([(begins + 3, 0), (begins + 57, *count)], BAR.filled())
    }))?;
    // Phases of a short event lie close together: each name a line lower than the one before.
    for (n, (at, phase)) in (0..).zip(facts.incident.phases.iter().filter(|(_, p)| *p != Phase::Warning)) {
        let at = at.timestamp();
        let height = top - top * n / 16;
        chart.draw_series(std::iter::once(PathElement::new([(at, 0), (at, top)], MARK)))?;
        let label =
            Text::new(phase.name(language).to_owned(), (at, height), ("sans-serif", 12).into_font().color(&MARK));
        chart.draw_series(std::iter::once(label))?;
    }
    area.present()?;
    Ok(())
}
