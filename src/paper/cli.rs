//! The command line of `his-import-paper`.

use super::forms::Page;
use super::import::{self, Checked, Options};
use super::register::Register;
use super::{issue, pack, status};
use crate::cli::{self, Common, Outcome, Site};
use crate::error::{Cannot, Error, Exit, Result};
use crate::paper::Number;
use clap::{Args, Parser, Subcommand};
use rust_decimal::Decimal;
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The paper tier: numbered slips out, keyed slips in
#[derive(Debug, Parser)]
#[command(name = "his-import-paper", version, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print blank slips with numbers that were handed out, as one HTML file; needs no database
    Forms {
        /// Kind of slips, such as charge
        kind: String,
        /// The first number
        first: String,
        /// The last number (default: only the first)
        last: Option<String>,
        /// Size of the sheets
        #[arg(long, value_enum, default_value = "a4", ignore_case = true, value_name = "SIZE")]
        page: Page,
        /// The file to write
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Write the print pack: blank slips and pages for every window, from the newest snapshot; needs no database
    Pack {
        /// The directory, which is replaced
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Hand out slip numbers, and say how they ended; needs no database
    #[command(subcommand)]
    Numbers(issue::Command),
    /// Check a file of keyed slips (CSV or XLSX), and change nothing
    Check(Keyed),
    /// Import keyed slips: into the primary, or into the standby while it is open
    Import {
        #[command(flatten)]
        keyed: Keyed,
        /// Import these slips although the same is there already (see --why)
        #[arg(long, value_name = "SLIP", requires = "why")]
        both: Vec<String>,
        /// Why both are kept
        #[arg(long, value_name = "TEXT", requires = "both")]
        why: Option<String>,
        /// Check the file, and import nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// How every number ended, and what is left to be keyed
    Status(status::Args),
}

/// A file of keyed slips.
#[derive(Debug, Clone, Args)]
struct Keyed {
    /// The keyed slips: CSV (UTF-8 or GB18030) or XLSX
    file: PathBuf,
    /// The same slips, keyed by somebody else without looking at the first
    #[arg(long, value_name = "FILE")]
    second: Option<PathBuf>,
    /// Where refused slips are written, to be corrected (default: FILE with .rejects.csv)
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Slips on the cover sheet
    #[arg(long, value_name = "COUNT")]
    expect_count: Option<usize>,
    /// Money on the cover sheet
    #[arg(long, value_name = "AMOUNT")]
    expect_total: Option<Decimal>,
}

impl cli::Program for Cli {
    fn common(&self) -> &Common {
        &self.common
    }
}

/// All of the program.
#[must_use]
pub fn main() -> ExitCode {
    cli::run::<Cli>(|cli| {
        let site = cli.common.site()?;
        match &cli.command {
            Command::Forms { kind, first, last, page, output } => {
                forms(&site, kind, (first, last.as_deref()), *page, output)
            }
            Command::Pack { to } => {
                let packed = pack::write(&site, to)?;
                let text = format!(
                    "{}: {} blank slips and {} pages, data until {}",
                    packed.path.display(),
                    packed.slips,
                    packed.pages,
                    site.time(packed.data_until)
                );
                Ok(Outcome::new(json!(packed), text))
            }
            Command::Numbers(command) => issue::command(&site, command),
            Command::Check(keyed) | Command::Import { keyed, dry_run: true, .. } => {
                check(&site, &options(&site, keyed, &[])?)
            }
            Command::Import { keyed, both, why, .. } => {
                let options = options(&site, keyed, both)?;
                if let Some(why) = why {
                    let detail = json!({ "slips": both, "why": why });
                    site.store.journal().write(&site.by, "keep both", None, "begun", detail)?;
                }
                crate::switch::at_first_contact(&site);
                outcome(&options, import::run(&site, &options)?, true)
            }
            Command::Status(args) => status::command(&site, args),
        }
    })
}

/// Prints slips whose numbers are in the register, and have not ended.
fn forms(site: &Site, name: &str, range: (&str, Option<&str>), page: Page, output: &Path) -> Result<Outcome> {
    let slip = kind(site, name)?;
    let first = issue::number(site, range.0)?;
    let last = range.1.map_or_else(|| Ok(first.clone()), |text| issue::number(site, text))?;
    let doing = || format!("print slips '{first}' to '{last}'");
    let own = Number::new(&slip.prefix, &site.profile.site.code, 1).series;
    if first.series != own || last.series != own || first.running > last.running {
        return Err(Error::usage(
            doing(),
            format!("they are no range of slips '{name}' (expected the lower number first)"),
        ));
    }
    let known = Register::read(site)?.series(&own);
    let numbers: Vec<Number> =
        (first.running..=last.running).map(|running| Number { series: own.clone(), running }).collect();
    for number in &numbers {
        let why = match (known.block(number.running), known.end_of(number.running)) {
            (None, _) => "was never issued",
            (_, Some(_)) => "has ended already",
            (Some(_), None) => continue,
        };
        return Err(Error::refused(doing(), format!("'{number}' {why}"))
            .hint("numbers issue hands new ones out; numbers status shows who has which."));
    }
    let to = known.block(first.running).map_or("", |b| b.to.as_str());
    let text = super::forms::render(&site.profile, slip, &numbers, page, to)?;
    crate::store::durable::replace(output, text.as_bytes()).cannot(format!("write '{}'", output.display()))?;
    let json = json!({
        "kind": name, "first": first.to_string(), "last": last.to_string(), "count": numbers.len(),
        "output": absolute(output),
    });
    Ok(Outcome::new(json, format!("{}: {} slips, {first} to {last}", output.display(), numbers.len())))
}

fn options(site: &Site, keyed: &Keyed, both: &[String]) -> Result<Options> {
    let both = both.iter().map(|text| issue::number(site, text)).collect::<Result<Vec<Number>>>()?;
    Ok(Options {
        file: keyed.file.clone(),
        second: keyed.second.clone(),
        rejects: keyed.rejects.clone(),
        expect_count: keyed.expect_count,
        expect_total: keyed.expect_total,
        both,
    })
}

fn check(site: &Site, options: &Options) -> Result<Outcome> {
    outcome(options, import::check(site, options)?, false)
}

/// Refused slips shown on a terminal; all of them are in the file.
const SHOWN: usize = 40;

fn outcome(options: &Options, mut checked: Checked, imported: bool) -> Result<Outcome> {
    let path = options.rejects.clone().unwrap_or_else(|| options.file.with_extension("rejects.csv"));
    checked.write_rejects(&path)?;
    let rejected = checked.rejected();
    let json = json!({
        "file": absolute(&checked.file), "encoding": checked.encoding, "kind": checked.slip.kind,
        "slips": { "read": checked.read, "imported": checked.imported, "already": checked.already, "rejected": rejected },
        "rejects": checked.rejects, "money": checked.money, "cover": checked.cover,
        "rejects_file": checked.rejects_file.as_deref().map(absolute),
        "disagreements_file": checked.disagreements_file.as_deref().map(absolute),
    });
    let exit = if rejected > 0 || checked.cover_differs() { Exit::NeedsPerson } else { Exit::Done };
    Ok(Outcome::new(json, text(&checked, imported)).exit(exit))
}

fn text(checked: &Checked, imported: bool) -> String {
    let mut text = format!(
        "{}: {}, {} slips of kind {}\n",
        checked.file.display(),
        checked.encoding,
        checked.read,
        checked.slip.kind
    );
    let done = if imported { "imported" } else { "can be imported" };
    let count = if imported { checked.imported } else { checked.open() };
    let _ = writeln!(text, "  {count} {done}, {} keyed already, {} rejected", checked.already, checked.rejected());
    for totals in &checked.money {
        let (read, rest) = (totals.read, totals.read - totals.already - totals.rejected);
        let _ = writeln!(
            text,
            "  {}: {read} = {rest} {done} + {} already + {} rejected",
            totals.field, totals.already, totals.rejected
        );
    }
    for reject in checked.rejects.iter().take(SHOWN) {
        let field = if reject.field.is_empty() { String::new() } else { format!(" {}:", reject.field) };
        let _ = writeln!(text, "  line {}, {}:{field} {}", reject.line, reject.slip_no, reject.reason);
    }
    if let Some(more) = checked.rejects.len().checked_sub(SHOWN).filter(|n| *n > 0) {
        let _ = writeln!(text, "  … and {more} more");
    }
    for line in &checked.cover {
        let _ = writeln!(text, "  {line}");
    }
    if checked.cover_differs() {
        let _ = writeln!(
            text,
            "HINT: nothing was imported; count the slips again, look for a slip left out or keyed twice."
        );
    } else if let Some(path) = &checked.rejects_file {
        let _ = writeln!(text, "HINT: correct the slips in '{}' and import that file.", path.display());
    }
    if let Some(path) = &checked.disagreements_file {
        let _ =
            writeln!(text, "HINT: '{}' has what the two keyings say; look at the slips themselves.", path.display());
    }
    text
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// A kind of slips of the profile.
pub(super) fn kind<'a>(site: &'a Site, name: &str) -> Result<&'a crate::profile::Slip> {
    site.profile.slip(name).ok_or_else(|| {
        let kinds: Vec<&str> = site.profile.slips.iter().map(|s| s.kind.as_str()).collect();
        Error::usage(format!("find slips '{name}'"), "the profile has no such [[slip]]")
            .hint(format!("its kinds are: {}.", if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") }))
    })
}
