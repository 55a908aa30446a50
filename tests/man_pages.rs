//! The manual says what the programs say. Pages of section 1 are made from the command lines and the small hand-written
//! parts in man/parts; those of sections 5 and 7 are written by hand, and name everything that they are about.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, CommandFactory};
use clap_mangen::Man;

use crate::support::{PROGRAMS, Program};

/// What the contract names for each program and subcommand; the empty subcommand is the program itself.
const CONTRACT: [(&str, &str, &[&str]); 93] = [
    ("his-snapshot", "", &["--full", "--dry-run"]),
    ("his-snapshot", "take", &["--full", "--dry-run"]),
    ("his-snapshot", "check", &["--beside"]),
    ("his-snapshot", "list", &[]),
    ("his-snapshot", "verify", &["[ID]", "--all"]),
    ("his-snapshot", "copy", &["--to", "--dry-run"]),
    ("his-snapshot", "fetch", &["[ID]", "--from", "--dry-run"]),
    ("his-snapshot", "prune", &["--dry-run"]),
    ("his-load-standby", "", &["[ID]", "--dry-run"]),
    ("his-load-standby", "init", &["--dry-run"]),
    ("his-load-standby", "list", &[]),
    ("his-load-standby", "rollback", &["--dry-run"]),
    ("his-load-standby", "check", &[]),
    ("his-switch", "", &[]),
    ("his-switch", "status", &[]),
    (
        "his-switch",
        "standby",
        &["--reason", "--ordered-by", "--level", "--accept-stale", "--both-live", "--planned", "--dry-run"],
    ),
    ("his-switch", "paper", &["--reason", "--ordered-by", "--level", "--standby-lost", "--why", "--dry-run"]),
    ("his-switch", "primary", &["--merge-later", "--standby-lost", "--why", "--dry-run"]),
    ("his-switch", "fence", &["--dry-run"]),
    ("his-switch", "unfence", &["--dry-run"]),
    ("his-switch", "endpoint", &["--dry-run"]),
    ("his-switch", "drill", &["--dry-run"]),
    ("his-export-queue", "", &["--final", "--dry-run"]),
    ("his-export-queue", "verify", &["[EVENT]"]),
    ("his-merge", "", &["[BATCH-DIR]...", "--early", "--dry-run"]),
    ("his-merge", "status", &["--number"]),
    ("his-merge", "conflicts", &["[ID]"]),
    ("his-merge", "resolve", &["--take", "--why", "--money", "--dry-run"]),
    ("his-merge", "backfill", &["--changed", "--rebuilt", "--dry-run"]),
    ("his-merge", "sql", &["BATCH-DIR>...", "--output", "--snapshot"]),
    ("his-merge", "receipt", &["FILE>"]),
    ("his-merge", "reconcile", &["[EVENT]", "--csv", "--accept", "--why"]),
    ("his-merge", "numbers", &["[EVENT]"]),
    ("his-merge", "sign-off", &["--as", "--dry-run"]),
    ("his-merge", "wipe", &["--dry-run"]),
    ("his-import-paper", "forms", &["--page", "--output"]),
    ("his-import-paper", "pack", &["--to"]),
    ("his-import-paper", "numbers", &[]),
    ("his-import-paper", "check", &["FILE>", "--second", "--rejects", "--expect-count", "--expect-total"]),
    (
        "his-import-paper",
        "import",
        &["FILE>", "--second", "--rejects", "--expect-count", "--expect-total", "--both", "--why", "--dry-run"],
    ),
    ("his-import-paper", "status", &["--minutes-per-slip", "--people"]),
    ("his-desk", "", &["--staff", "--window", "--secret-file", "--request"]),
    ("his-desk", "standing", &[]),
    ("his-desk", "shift", &[]),
    ("his-desk", "patient", &[]),
    ("his-desk", "schedules", &["--department"]),
    ("his-desk", "appointments", &["--patient"]),
    (
        "his-desk",
        "register",
        &[
            "--patient",
            "--schedule",
            "--appointment",
            "--again",
            "--paper-no",
            "--pay",
            "--card",
            "--tendered",
            "--insured",
        ],
    ),
    ("his-desk", "cancel", &["--reason", "--approver", "--approver-secret-file"]),
    ("his-desk", "orders", &[]),
    ("his-desk", "prices", &[]),
    ("his-desk", "quote", &["--registration", "--order", "--item", "--pay"]),
    ("his-desk", "charge", &["--registration", "--order", "--item", "--pay", "--tendered", "--expect"]),
    ("his-desk", "paid-on-paper", &["--patient", "--paper-no"]),
    ("his-desk", "charges", &["--patient", "--number"]),
    ("his-desk", "refund", &["--line", "--reason", "--approver"]),
    ("his-desk", "refunds", &[]),
    ("his-desk", "insurance", &[]),
    ("his-desk", "print", &["--to", "--paper"]),
    ("his-desk", "to-print", &[]),
    ("his-desk", "spoil", &["--why"]),
    ("his-desk", "forms", &["--approver"]),
    ("his-desk", "paid", &[]),
    ("his-desk", "done", &["--line"]),
    ("his-desk", "callback", &[]),
    ("his-desk", "queue", &[]),
    ("his-desk", "script", &["[FILE]"]),
    ("his-watch", "", &["--nagios", "--prometheus"]),
    ("his-incident", "", &[]),
    ("his-incident", "warn", &["--department"]),
    ("his-incident", "dismiss", &["--why"]),
    ("his-incident", "start", &["--cause", "--level", "--why", "--ordered-by"]),
    ("his-incident", "level", &["--why"]),
    ("his-incident", "phase", &[]),
    ("his-incident", "task", &[]),
    ("his-incident", "note", &[]),
    ("his-incident", "notice", &["--set", "--to"]),
    ("his-incident", "call-list", &["--level", "--to", "--reached", "--not-reached"]),
    ("his-incident", "supplies", &["--counted"]),
    ("his-incident", "status", &["--all"]),
    ("his-incident", "end", &["--why"]),
    ("his-incident", "review", &["--cause", "--improvement", "--owner", "--due"]),
    ("his-incident", "report", &["[INCIDENT]", "--to"]),
    ("his-incident", "plan", &["--cards"]),
    ("his-drill", "", &[]),
    ("his-drill", "run", &["--scenario", "--goal", "--present", "--absent"]),
    ("his-drill", "begin", &["--scenario", "--goal"]),
    ("his-drill", "strike", &[]),
    ("his-drill", "mend", &[]),
    ("his-drill", "end", &[]),
    ("his-drill", "history", &[]),
    ("his-drill", "show", &["[DRILL]"]),
    ("his-drill", "finding", &["--drill", "--owner", "--due"]),
];

/// What every program takes, before or after the subcommand.
const COMMON: [&str; 12] =
    ["-c", "--config", "--json", "--by", "-q", "--quiet", "-v", "--verbose", "--color", "-h", "--help", "--version"];

fn command(program: &str) -> Command {
    match program {
        "his-snapshot" => his_emergency::snapshot::Cli::command(),
        "his-load-standby" => his_emergency::load::Cli::command(),
        "his-switch" => his_emergency::switch::Cli::command(),
        "his-export-queue" => his_emergency::export::Cli::command(),
        "his-merge" => his_emergency::merge::Cli::command(),
        "his-import-paper" => his_emergency::paper::Cli::command(),
        "his-desk" => his_emergency::desk::Cli::command(),
        "his-watch" => his_emergency::watch::Cli::command(),
        "his-incident" => his_emergency::incident::Cli::command(),
        "his-drill" => his_emergency::drill::Cli::command(),
        other => panic!("there is no program {other}"),
    }
}

fn home(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(home(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// A hand-written part of a page; one that is not there is no part.
fn part(name: &str) -> String {
    fs::read_to_string(home(&format!("man/parts/{name}.roff"))).unwrap_or_default()
}

/// Text as roff takes it: nothing in it is a command, and what stands in backquotes is bold.
fn escape(text: &str) -> String {
    let plain = text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    let bold = plain.split('`').enumerate().map(|(n, piece)| match n % 2 {
        0 => piece.to_owned(),
        _ => format!("\\fB{piece}\\fR"),
    });
    let text: String = bold.collect();
    if text.starts_with('.') { format!("\\&{text}") } else { text }
}

/// The options of `command` that are shown, as `clap_mangen` writes them, without the heading.
fn options(command: Command) -> String {
    let mut bytes = Vec::new();
    Man::new(command).render_options_section(&mut bytes).expect("a page can be written to memory");
    let text = String::from_utf8(bytes).expect("pages are UTF-8");
    let Some((_, list)) = text.split_once(".SH OPTIONS\n") else { return String::new() };
    let list = list.replace("\\*(Aq", "\\(aq");
    // What is in backquotes in a help text is a name.
    let mut bold = false;
    let marked = list.chars().map(|c| match c {
        '`' => {
            bold = !bold;
            if bold { "\\fB".to_owned() } else { "\\fR".to_owned() }
        }
        c => c.to_string(),
    });
    marked.collect()
}

/// Hides some options, and says the values of the others within their text.
fn hide(command: Command, hidden: impl Fn(&Arg) -> bool) -> Command {
    command.mut_args(|a| {
        let hide = a.is_hide_set() || hidden(&a);
        let values: Vec<String> = a.get_possible_values().iter().map(|v| v.get_name().to_owned()).collect();
        let help = a.get_help().map(ToString::to_string).unwrap_or_default();
        let a = if values.is_empty() || !a.get_action().takes_values() {
            a
        } else {
            a.hide_possible_values(true).help(format!("{help}: {}", values.join(", ")))
        };
        a.hide(hide)
    })
}

/// How `command` is called; `command` is built.
fn usage(path: &str, command: &Command) -> String {
    let own = command
        .get_arguments()
        .filter(|a| !a.is_global_set() && !a.is_hide_set() && !matches!(a.get_id().as_str(), "help" | "version"));
    let words = own.map(|a| {
        let value = || a.get_value_names().map_or_else(|| a.get_id().to_string().to_uppercase(), |v| v.join(" "));
        let many = a.get_num_args().is_some_and(|n| n.max_values() > 1);
        let dots = if many { "\\ .\\|.\\|." } else { "" };
        let word = match a.get_long() {
            None => format!("\\fI{}\\fR{dots}", escape(&value())),
            Some(long) if matches!(a.get_action(), ArgAction::Set | ArgAction::Append) => {
                format!("\\fB{}\\fR\\ \\fI{}\\fR", escape(&format!("--{long}")), escape(&value()))
            }
            Some(long) => format!("\\fB{}\\fR", escape(&format!("--{long}"))),
        };
        if a.is_required_set() { word } else { format!("[{word}]") }
    });
    let words: Vec<String> = words.collect();
    format!("\\fB{}\\fR {}", escape(path), words.join(" ")).trim_end().to_owned()
}

/// The paragraphs that a command says of itself.
fn description(command: &Command) -> String {
    let about = command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string).unwrap_or_default();
    let paragraphs: Vec<String> = about
        .split("\n\n")
        .map(|p| {
            let p = escape(p.trim());
            let end = if p.ends_with(['.', ':']) { "" } else { "." };
            format!("{p}{end}\n")
        })
        .collect();
    paragraphs.join(".PP\n")
}

/// One whole page of section 1.
fn page(program: &str) -> String {
    let plain = command(program).disable_help_subcommand(true);
    let mut built = plain.clone();
    built.build();
    let about = plain.get_about().map(ToString::to_string).unwrap_or_default();
    let version = plain.get_version().unwrap_or_default();
    let mut page = format!(
        ".\\\" Made by `make man` from what {program} says of itself and from man/parts. Change those, not this file.\n\
         .TH {} 1 \"\" \"his-emergency {version}\" \"Outpatient emergency toolkit\"\n.nh\n.ad l\n",
        escape(program)
    );
    page += &format!(".SH NAME\n{} \\- {}\n", escape(program), escape(&about));

    let subcommands: Vec<&Command> = built.get_subcommands().filter(|s| !s.is_hide_set()).collect();
    let path = |s: &Command| format!("{program} {}", s.get_name());
    let mut forms: Vec<String> = Vec::new();
    if !plain.is_subcommand_required_set() {
        forms.push(usage(program, &built));
    }
    forms.extend(subcommands.iter().map(|s| usage(&path(s), s)));
    page += &format!(".SH SYNOPSIS\n{}\n", forms.join("\n.br\n"));
    page += &format!(".SH DESCRIPTION\n{}{}", description(&plain), part(&format!("{program}.description")));

    let quiet = |c: Command| c.disable_help_flag(true).disable_version_flag(true);
    let own = options(quiet(hide(plain.clone(), Arg::is_global_set)));
    if !own.is_empty() {
        page += &format!(".SH OPTIONS\n{own}");
    }
    if !subcommands.is_empty() {
        page += ".SH SUBCOMMANDS\n";
    }
    for sub in &subcommands {
        let of_plain = plain.find_subcommand(sub.get_name()).expect("it was built from it").clone();
        page += &format!(".SS {}\n{}", escape(sub.get_name()), description(sub));
        page += &options(quiet(of_plain));
    }
    let common = hide(plain.clone(), |a| !a.is_global_set());
    page += &format!(".SH COMMON OPTIONS\nThese may stand before or after the subcommand.\n{}", options(common));
    page += &part(&format!("{program}.output"));
    for shared in ["exit-status", "environment", "files"] {
        page += &part(shared);
    }
    page += &part(&format!("{program}.examples"));
    let others = PROGRAMS.iter().filter(|p| **p != program).map(|p| (escape(p), 1));
    let pages =
        others.chain([("his.toml".to_owned(), 5), ("his\\-formats".to_owned(), 5), ("his\\-emergency".to_owned(), 7)]);
    let also: Vec<String> = pages.map(|(name, section)| format!(".BR {name} ({section})")).collect();
    page + ".SH SEE ALSO\n" + &also.join(",\n") + "\n"
}

/// Page and test differ in a line: which, and what stands where.
fn first_difference(committed: &str, made: &str) -> String {
    let (mut old, mut new) = (committed.lines(), made.lines());
    for number in 1.. {
        match (old.next(), new.next()) {
            (None, None) => break,
            (a, b) if a == b => {}
            (a, b) => {
                return format!(
                    "line {number}\n  committed: {}\n  now:       {}",
                    a.unwrap_or("(end)"),
                    b.unwrap_or("(end)")
                );
            }
        }
    }
    "only in their last line's end".to_owned()
}

#[test]
fn man_pages_say_what_the_programs_say() {
    let write = std::env::var_os("HIS_WRITE_MAN").is_some_and(|v| v == "1");
    let mut drifted = Vec::new();
    for program in PROGRAMS {
        let (path, made) = (format!("man/{program}.1"), page(program));
        if write {
            fs::write(home(&path), &made).unwrap_or_else(|e| panic!("{path}: {e}"));
            continue;
        }
        let committed = fs::read_to_string(home(&path)).unwrap_or_default();
        if committed != made {
            drifted.push(format!("{path} differs in {}", first_difference(&committed, &made)));
        }
    }
    assert!(drifted.is_empty(), "{}\nHINT: make man writes the pages anew; commit them.", drifted.join("\n"));
}

#[test]
fn help_of_every_program_and_subcommand_names_every_option_of_the_contract() {
    for (program, subcommand, options) in CONTRACT {
        let args = [subcommand, "--help"].into_iter().filter(|a| !a.is_empty());
        let ran = Program::ours(program).args(args).run().expect(0);
        let words: Vec<&str> = ran.stdout.split([' ', '\n', ',', '<', '=']).collect();
        let common = COMMON.iter().filter(|o| subcommand.is_empty() || **o != "--version");
        for option in options.iter().chain(common) {
            let there = words.iter().any(|w| w == option || w.trim_end_matches('.') == *option);
            assert!(there, "{program} {subcommand} --help does not name {option}:\n{}", ran.stdout);
        }
        assert_eq!(ran.stderr, "", "{program} {subcommand} --help");
    }
}

#[test]
fn every_subcommand_that_a_program_has_is_in_the_table_of_this_test_and_in_its_page() {
    for program in PROGRAMS {
        let page = read(&format!("man/{program}.1"));
        for sub in command(program).get_subcommands().filter(|s| !s.is_hide_set()) {
            let name = sub.get_name();
            let listed = CONTRACT.iter().any(|(p, s, _)| *p == program && *s == name);
            // `list` of the export says nothing but its name, and the contract gives it no option.
            assert!(listed || (program, name) == ("his-export-queue", "list"), "{program} {name} is in no contract");
            assert!(page.contains(&format!(".SS {}\n", escape(name))), "man/{program}.1 has no section {name}");
        }
    }
}

/// True when the page sets `word` in bold: as a term of its own line, or within one.
fn names(page: &str, word: &str) -> bool {
    page.contains(&format!("\\fB{word}\\fR"))
        || page.lines().any(|line| {
            let rest = line.strip_prefix(".B ").or_else(|| line.strip_prefix(".BR "));
            rest.is_some_and(|rest| rest.split([' ', ',', ':']).any(|w| w == word))
        })
}

/// Texts in quotes that follow `mark` in `source`.
fn literals_after<'a>(source: &'a str, mark: &str) -> Vec<&'a str> {
    source.split(mark).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn every_key_of_the_profile_is_in_the_manual() {
    let sources = ["parse", "slip", "desk", "watch", "drill", "bouncer"];
    let parser: String = sources.iter().map(|name| read(&format!("src/profile/{name}.rs"))).collect();
    let page = read("man/his.toml.5");
    let mut keys: Vec<&str> = Vec::new();
    for method in [
        "text", "required", "choice", "flag", "whole", "percent", "wholes", "duration", "texts", "pairs", "lists",
        "counts",
    ] {
        keys.extend(literals_after(&parser, &format!(".{method}(\"")));
    }
    keys.extend(literals_after(&parser, "(&mut s, \""));
    keys.extend(["recent", "daily", "weekly"]);
    keys.sort_unstable();
    keys.dedup();
    assert!(keys.len() >= 40, "the parser is written in another way now: {keys:?}");
    let choices = parser.split(".choice(").skip(1).filter_map(|rest| rest.split_once("&[")?.1.split(']').next());
    let values = choices.flat_map(|list| list.split(',').map(|v| v.trim().trim_matches('"')));
    let missing: Vec<&str> = keys.iter().copied().chain(values).filter(|word| !names(&page, word)).collect();
    assert!(missing.is_empty(), "man/his.toml.5 does not name {missing:?}");
    for section in [
        "[site]",
        "[primary]",
        "[standby]",
        "[store]",
        "[limits]",
        "[endpoint]",
        "[[pgbouncer]]",
        "[[table]]",
        "[[numbers]]",
        "[[report]]",
        "[paper]",
        "[desk]",
        "[plan]",
        "[watch]",
        "[[check]]",
        "[drill]",
        "[[slip]]",
    ] {
        assert!(page.contains(&format!(".SH {section}\n")), "man/his.toml.5 has no section {section}");
    }
}

/// Names of the fields of a source file's structs, as they are in JSON; of those that become JSON.
fn fields(source: &str) -> Vec<String> {
    let (mut found, mut renamed, mut in_json) = (Vec::new(), None, false);
    for line in source.split("#[cfg(test)]").next().unwrap_or_default().lines() {
        if let Some(derived) = line.strip_prefix("#[derive(") {
            in_json = derived.contains("Serialize");
        }
        if !in_json {
            continue;
        }
        if let Some(name) = line.trim().strip_prefix("#[serde(rename = \"") {
            renamed = name.split('"').next().map(str::to_owned);
        } else if let Some((name, _)) = line.strip_prefix("    pub ").and_then(|l| l.split_once(": "))
            && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        {
            found.push(renamed.take().unwrap_or_else(|| name.to_owned()));
        }
    }
    found
}

#[test]
fn what_his_scaling_calls_measured_is_what_the_readme_says() {
    let (page, readme) = (read("man/his-scaling.7"), read("README.md"));
    for figure in ["3.3 to 4.7 s", "10.6 to 16.8 s", "0.1 s", "624,638 new rows", "73 s", "28 MB"] {
        assert!(page.contains(figure), "man/his-scaling.7 does not say {figure}");
        assert!(
            readme.contains(figure),
            "README.md says no more {figure}: measure anew what follows from it in man/his-scaling.7"
        );
    }
}

#[test]
fn every_field_of_the_formats_is_in_the_manual() {
    let page = read("man/his-formats.5");
    for (source, at_least) in [
        ("src/formats/snapshot.rs", 40),
        ("src/formats/batch.rs", 30),
        ("src/catalog/mod.rs", 30),
        ("src/store/state.rs", 20),
        ("src/store/journal.rs", 9),
        ("src/paper/register/home.rs", 3),
        ("src/paper/pack.rs", 6),
        ("src/incident/record.rs", 6),
        ("src/drill/record.rs", 30),
    ] {
        let all = fields(&read(source));
        assert!(all.len() >= at_least, "{source} is written in another way now: {all:?}");
        let missing: Vec<&String> = all.iter().filter(|field| !names(&page, field)).collect();
        assert!(missing.is_empty(), "man/his-formats.5 does not name {missing:?} of {source}");
    }
}

#[test]
fn every_key_of_the_emergency_plan_is_in_its_page() {
    let (source, page) = (read("src/plan/mod.rs"), read("man/his-plan.toml.5"));
    let all = fields(&source);
    assert!(all.len() >= 40, "src/plan/mod.rs is written in another way now: {all:?}");
    let missing: Vec<&String> = all.iter().filter(|field| !names(&page, field)).collect();
    assert!(missing.is_empty(), "man/his-plan.toml.5 does not name {missing:?}");
}

/// Every line of the table names a command that there is, or says that it is the hospital's own.
#[test]
fn the_table_of_what_plans_ask_for_names_commands_that_there_are() {
    let page = read("man/his-plans.7");
    let (_, table) = page.split_once(".TS\n").expect("a table");
    let (table, _) = table.split_once(".TE\n").expect("its end");
    // Each row is `T{`, what is asked for, `T}|how|T{`, the answer, `T}`.
    let cells = table.split("T{\n").skip(1).map(|cell| cell.split("\nT}").collect::<Vec<_>>()).collect::<Vec<_>>();
    let rows: Vec<(&str, &str, &str)> =
        cells.chunks(2).map(|pair| (pair[0][0], pair[0][1].trim_matches(['|', '\n']), pair[1][0])).collect();
    assert!(rows.len() >= 60, "{} rows", rows.len());
    for row in rows {
        let answer = row.2.replace("\\-", "-");
        assert!(["full", "part", "own"].contains(&row.1), "{row:?}");
        if row.1 == "own" {
            continue;
        }
        let named = answer.split(';').map(str::trim).filter(|t| t.starts_with("his-"));
        let mut found = 0;
        for command_line in named {
            let mut words = command_line.split_whitespace();
            let program = words.next().unwrap_or_default();
            assert!(PROGRAMS.contains(&program), "{program} in {row:?}");
            let sub =
                words.next().filter(|w| w.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !w.starts_with('-'));
            if let Some(sub) = sub {
                assert!(command(program).find_subcommand(sub).is_some(), "{program} {sub} in {row:?}");
            }
            found += 1;
        }
        assert!(
            found > 0 || answer.contains("samples/") || answer.contains("his.toml") || answer.contains("plan.toml"),
            "{row:?}"
        );
    }
}

#[test]
fn every_act_of_a_window_is_in_the_contract_page_and_the_sample_has_it() {
    let page = read("man/his-desk.5");
    let (_, acts) = page.split_once(".SH ACTS\n").expect("the acts");
    let written: BTreeSet<&str> = acts.lines().filter_map(|l| l.strip_prefix(".BR desk.")).collect();
    let acts: BTreeSet<&str> = his_emergency::desk::Act::ALL.iter().map(|act| act.name()).collect();
    assert_eq!(written, acts);
    let sample: String =
        ["session", "patients", "refund", "registration", "charge", "receipts", "departments", "shift", "common"]
            .iter()
            .map(|name| read(&format!("samples/his/desk/{name}.sql")))
            .collect();
    let missing: Vec<&&str> =
        acts.iter().filter(|act| !sample.contains(&format!("CREATE FUNCTION desk.{act}("))).collect();
    assert!(missing.is_empty(), "samples/his/desk lacks {missing:?}");
}
