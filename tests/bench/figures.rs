//! Times of two sides that took turns, the median of their ratios, and how they are shown.

use std::fs;
use std::path::Path;

use plotters::prelude::*;
use serde_json::{Value, json};

use crate::ground::Ground;
use crate::support::Program;
use crate::support::server::bin;
use crate::works::Work;

/// One run of one side.
#[derive(Debug, Clone, Copy, Default)]
pub struct Run {
    pub seconds: f64,
    /// Largest resident set of one of our processes; 0 where it was not looked at.
    pub memory_kib: u64,
}

/// What came of one work.
#[derive(Debug, Clone, Default)]
pub struct Compared {
    pub ours: Vec<Run>,
    pub theirs: Vec<Run>,
    /// What else is worth saying.
    pub notes: Vec<String>,
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    match numbers.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => numbers[n / 2],
        n => f64::midpoint(numbers[n / 2 - 1], numbers[n / 2]),
    }
}

fn seconds(runs: &[Run]) -> Vec<f64> {
    runs.iter().map(|run| run.seconds).collect()
}

impl Compared {
    /// Of each turn.
    fn ratios(&self) -> Vec<f64> {
        self.ours.iter().zip(&self.theirs).map(|(ours, theirs)| ours.seconds / theirs.seconds).collect()
    }

    pub fn ratio(&self) -> f64 {
        median(self.ratios())
    }

    fn spread(&self) -> (f64, f64) {
        self.ratios().iter().fold((f64::MAX, f64::MIN), |(low, high), r| (low.min(*r), high.max(*r)))
    }

    pub fn memory_mib(&self) -> u64 {
        self.ours.iter().map(|run| run.memory_kib).max().unwrap_or(0) / 1024
    }

    pub fn line(&self) -> String {
        let (low, high) = self.spread();
        let (ours, theirs) = (median(seconds(&self.ours)), median(seconds(&self.theirs)));
        let mut line = format!("{ours:.2} s beside {theirs:.2} s: ratio {:.3} ({low:.3} to {high:.3})", self.ratio());
        if self.memory_mib() > 0 {
            line += &format!(", {} MiB", self.memory_mib());
        }
        self.notes.iter().fold(line, |line, note| line + "; " + note)
    }
}

/// All works of one run.
pub struct Report {
    machine: String,
    size: String,
    runs: usize,
    works: Vec<(&'static Work, Compared)>,
}

impl Report {
    pub fn new(runs: usize) -> Report {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let said = Program::at(&bin("postgres")).args(["--version"]).run().expect(0).stdout;
        let machine = format!("{cores} cores, {}, everything on one machine, fsync on", said.trim());
        Report { machine, size: String::new(), runs, works: Vec::new() }
    }

    /// What the works so far are done on.
    pub fn on(&mut self, ground: &Ground) {
        let size = format!("{} patients, {} rows", ground.patients, ground.rows);
        // The windows may have a smaller ground, the second.
        self.size = if self.size.is_empty() { size } else { format!("{} (windows: {size})", self.size) };
    }

    pub fn add(&mut self, work: &'static Work, compared: Compared) {
        self.works.push((work, compared));
    }

    /// In Markdown, as the READMEs have it.
    pub fn table(&self) -> String {
        let mut text = format!("{}; {}; medians of {} turns\n\n", self.machine, self.size, self.runs);
        text +=
            "| work | against | ours | theirs | ratio (spread) | target | memory |\n|---|---|---|---|---|---|---|\n";
        for (work, c) in &self.works {
            let (low, high) = c.spread();
            let (ours, theirs) = (median(seconds(&c.ours)), median(seconds(&c.theirs)));
            let memory = if c.memory_mib() > 0 { format!("{} MiB", c.memory_mib()) } else { String::new() };
            text += &format!(
                "| {} | {} | {ours:.2} s | {theirs:.2} s | **{:.3}** ({low:.3} to {high:.3}) | {} | {memory} |\n",
                work.name,
                work.against,
                c.ratio(),
                work.target
            );
        }
        for (work, c) in &self.works {
            for note in &c.notes {
                text += &format!("\n- {}: {note}", work.name);
            }
        }
        text
    }

    pub fn write(&self, out: &Path) {
        fs::create_dir_all(out).expect("it can be made");
        let works: Vec<Value> = self
            .works
            .iter()
            .map(|(work, c)| {
                json!({
                    "work": work.name, "against": work.against, "target": work.target, "ratio": c.ratio(),
                    "ratios": c.ratios(), "ours_seconds": seconds(&c.ours), "theirs_seconds": seconds(&c.theirs),
                    "memory_mib": c.memory_mib(), "notes": c.notes,
                })
            })
            .collect();
        let all = json!({ "machine": self.machine, "size": self.size, "runs": self.runs, "works": works });
        fs::write(out.join("bench.json"), format!("{all:#}\n")).expect("written");
        self.draw(&out.join("bench.svg"));
    }

    /// A bar for each ratio; a line where both sides are equal.
    fn draw(&self, path: &Path) {
        let height = 60 + 34 * u32::try_from(self.works.len()).unwrap_or(0);
        let root = SVGBackend::new(path, (760, height)).into_drawing_area();
        root.fill(&WHITE).expect("drawn");
        let style = ("sans-serif", 14).into_font();
        let scale = 300.0 / self.works.iter().map(|(_, c)| c.ratio()).fold(1.0, f64::max);
        #[expect(clippy::cast_possible_truncation, reason = "a place on a picture")]
        let x = |ratio: f64| 380 + (ratio * scale) as i32;
        let bottom = i32::try_from(height).unwrap_or(0) - 20;
        root.draw(&PathElement::new([(x(1.0), 24), (x(1.0), bottom)], BLACK.stroke_width(1))).expect("drawn");
        root.draw(&Text::new("theirs = 1", (x(1.0) - 30, 8), style.clone())).expect("drawn");
        for (n, (work, c)) in (0..).zip(&self.works) {
            let y = 34 + 34 * n;
            let colour = if c.ratio() <= 1.0 { RGBColor(46, 125, 50) } else { RGBColor(198, 40, 40) };
            root.draw(&Text::new(format!("{} / {}", work.name, work.against), (8, y + 4), style.clone()))
                .expect("drawn");
            root.draw(&Rectangle::new([(380, y), (x(c.ratio()), y + 20)], colour.filled())).expect("drawn");
            root.draw(&Text::new(format!("{:.2}", c.ratio()), (x(c.ratio()) + 6, y + 4), style.clone()))
                .expect("drawn");
        }
        root.present().expect("drawn");
    }
}

/// Runs a program of ours to its end, looking at its memory.
pub fn watched(program: Program, code: i32) -> Run {
    let began = std::time::Instant::now();
    let mut running = program.start();
    let mut memory_kib = 0;
    while running.running() {
        let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap_or_default();
        let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok());
        memory_kib = memory_kib.max(peak.unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    running.wait().expect(code);
    Run { seconds: began.elapsed().as_secs_f64(), memory_kib }
}
