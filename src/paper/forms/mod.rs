//! Blank slips with their numbers, ready to be printed: one HTML document that needs nothing else.
//!
//! The templates are the toolkit's, or a hospital's own of the same name in `[paper] templates`. Their fields come from the
//! profile, so that what is printed is what is keyed.

mod codes;
pub mod templates;

use super::Number;
use crate::error::{Cannot, Result};
use crate::profile::{Profile, Slip};
use clap::ValueEnum;
use minijinja::context;

/// What slips are printed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Page {
    A4,
    A5,
}

impl Page {
    fn name(self) -> &'static str {
        match self {
            Page::A4 => "A4",
            Page::A5 => "A5",
        }
    }
}

/// Kinds of which patient, executing department and files each keep a part.
const OF_THREE_PARTS: [&str; 7] = ["registration", "charge", "refund", "prescription", "treatment", "lab", "exam"];

/// Renders blank slips with these numbers.
pub fn render(profile: &Profile, slip: &Slip, numbers: &[Number], page: Page, to: &str) -> Result<String> {
    let language = profile.site.language.as_str();
    let columns = |line: bool| {
        let list = slip.columns.iter().filter(|c| c.line == line).map(|c| {
            let values: Vec<String> = c.values.iter().map(|(word, _)| word.clone()).collect();
            let form = format!("{:?}", c.form).to_lowercase();
            context! { field => &c.field, header => c.header.of(language), required => c.required, form, values }
        });
        list.collect::<Vec<_>>()
    };
    let slips = numbers
        .iter()
        .map(|number| {
            let plain = number.plain();
            Ok(context! { number => number.to_string(), bars => codes::bars(&plain)?, squares => codes::squares(&plain)? })
        })
        .collect::<Result<Vec<_>>>()?;
    let three = OF_THREE_PARTS.contains(&slip.kind.as_str());
    let environment = templates::environment(profile);
    let name = format!("{}.html", slip.kind);
    let name = if templates::has(&environment, &name) { name.as_str() } else { "form.html" };
    let template = environment.get_template(name).cannot(format!("use the template '{name}'"))?;
    let context = context! {
        page => page.name(), kind => &slip.kind, title => slip.title.of(language), language, site => &profile.site.name,
        // A few fields fill no sheet: three slips share one.
        to, slips, fields => columns(false), lines => columns(true), three,
        t => templates::words(language), small => !three && name == "form.html" && !slip.has_lines(),
    };
    template.render(context).cannot(format!("print slips with the template '{name}'"))
}
