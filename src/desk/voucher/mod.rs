//! 应急收费凭证: printed only after its charge is committed. A print that fails leaves the charge valid and listed 待补打.

mod escpos;
mod layout;

use super::act::Act;
use super::line::Line;
use crate::cli::Outcome;
use crate::error::{Cannot, Error, Result};
use crate::profile::{Printed, Profile};
use crate::store::durable;
use minijinja::context;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Prints the voucher of `charge`, then says so to the database, which counts it.
pub fn print(
    profile: &Profile,
    line: &mut Line,
    charge: i64,
    to: Option<&Path>,
    paper: Option<Printed>,
) -> Result<Outcome> {
    let data = line.ask(Act::Receipt, &json!({ "charge": charge }))?;
    let bytes = render(profile, &data, paper.unwrap_or(profile.desk.paper))?;
    deliver(profile, charge, &bytes, to)?;
    let counted = line.ask(Act::Printed, &json!({ "charge": charge }))?;
    let number = data.get("number").and_then(Value::as_str).unwrap_or_default();
    let json = json!({
        "charge": charge, "number": number, "form": data.get("form"), "reprints": counted.get("reprints"), "bytes": bytes.len(),
    });
    Ok(Outcome::new(json, format!("{number}: {}", if profile.site.language == "en" { "printed" } else { "已打印" })))
}

/// What goes to the printer. `data` is the answer of the act `receipt`.
pub fn render(profile: &Profile, data: &Value, paper: Printed) -> Result<Vec<u8>> {
    match paper {
        Printed::Roll58 => escpos::encode(&layout::lines(profile, data, 32)),
        Printed::Roll80 => escpos::encode(&layout::lines(profile, data, 48)),
        Printed::Form => Ok(layout::plain(&layout::lines(profile, data, 80)).into_bytes()),
        Printed::Html => html(profile, data),
    }
}

fn html(profile: &Profile, data: &Value) -> Result<Vec<u8>> {
    let english = profile.site.language == "en";
    let mut environment = minijinja::Environment::new();
    environment
        .add_template("voucher.html", include_str!("../../../templates/desk/voucher.html"))
        .cannot("use the template 'voucher.html'")?;
    let template = environment.get_template("voucher.html").cannot("use the template 'voucher.html'")?;
    let title = layout::title(data, english);
    let lines: Vec<String> = layout::lines(profile, data, 48).into_iter().skip(layout::HEAD).map(|l| l.text).collect();
    let context = context! {
        language => &profile.site.language, site => &profile.site.name, title, exchange => layout::exchange(english), lines,
    };
    Ok(template.render(context).cannot("fill the template 'voucher.html'")?.into_bytes())
}

fn deliver(profile: &Profile, charge: i64, bytes: &[u8], to: Option<&Path>) -> Result<()> {
    let doing = || format!("print the voucher of charge '{charge}'");
    let waits = "the charge is good and waits to be printed (待补打): mend the printer, then his-desk print again; his-desk spoil when a form was spoiled.";
    if let Some(path) = to {
        return durable::replace(path, bytes).cannot(doing()).map_err(|e| e.hint(waits));
    }
    let Some(command) = &profile.desk.print else {
        return Err(Error::usage(doing(), "the profile names no printer ([desk] print)")
            .hint("name one, such as print = \"lp -d receipts\", or write to a file with --to."));
    };
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .cannot(doing())
        .map_err(|e| e.hint(waits))?;
    let written = child.stdin.take().map_or(Ok(()), |mut input| input.write_all(bytes));
    let status = child.wait().cannot(doing()).map_err(|e| e.hint(waits))?;
    if !status.success() {
        return Err(Error::failed(doing(), format!("'{command}' ended with {status}")).hint(waits));
    }
    written.cannot(doing()).map_err(|e| e.hint(waits))
}
