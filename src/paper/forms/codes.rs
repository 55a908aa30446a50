//! The number of a slip as bars and squares, for whoever has a scanner afterwards.

use crate::error::{Error, Result};
use barcoders::generators::svg::SVG;
use barcoders::sym::code128::Code128;
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};

/// Code 128 as an SVG picture, with the quiet zone that a reader needs.
pub fn bars(text: &str) -> Result<String> {
    // Ɓ: characters of set B, which has letters and digits.
    let code = Code128::new(format!("\u{0181}{text}")).map_err(|e| cannot(text, &e))?;
    let encoded = code.encode();
    let drawn = SVG::new(40).xdim(1).generate(&encoded).map_err(|e| cannot(text, &e))?;
    // Ten modules of white on each side.
    let width = encoded.len() + 20;
    let inner = drawn.find("<rect").map_or(drawn.as_str(), |at| &drawn[at..]).trim_end_matches("</svg>");
    Ok(format!(
        "<svg class=\"bars\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} 40\" preserveAspectRatio=\"none\" shape-rendering=\"crispEdges\"><g transform=\"translate(10 0)\">{inner}</g></svg>"
    ))
}

/// A QR code as an SVG picture.
pub fn squares(text: &str) -> Result<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).map_err(|e| cannot(text, &e))?;
    let drawn = code.render::<svg::Color<'_>>().min_dimensions(60, 60).quiet_zone(true).build();
    Ok(drawn.find("<svg").map_or(drawn.as_str(), |at| &drawn[at..]).to_owned())
}

fn cannot(text: &str, why: &dyn std::fmt::Display) -> Error {
    Error::failed(format!("draw the code of '{text}'"), why)
}
