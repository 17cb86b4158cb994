//! Writes the OpenAPI document of the control API to standard output: `cargo run -p hearth-api --example openapi >
//! ui/openapi.json`. A test of the crate compares the two.

use std::io::Write;

fn main() -> std::io::Result<()> {
    let text = hearth_api::control::openapi::document_text()?;
    std::io::stdout().write_all(text.as_bytes())
}
