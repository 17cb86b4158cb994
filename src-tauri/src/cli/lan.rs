//! What a start beyond loopback says: where other computers reach it, as text and as a code for a phone's camera.

use std::io::IsTerminal as _;

use hearth_node::Node;
use qrcode::{QrCode, render::unicode::Dense1x2};

use super::Out;

/// Says the addresses of this computer, if others reach the API at all.
pub(super) fn greet(node: &Node, out: &Out) {
    let urls = node.lan_urls();
    let Some(first) = urls.first() else { return };
    if std::io::stdout().is_terminal() {
        for line in code(first) {
            out.line(&line);
        }
    }
    for url in &urls {
        out.line(&format!(
            "  network  {url}   sign in with the password of `hearth auth password`"
        ));
    }
    out.line("           The line is not encrypted: use it in a network that you trust, or behind a proxy with TLS.");
}

/// A code in half blocks, with the quiet zone that cameras need. It carries the address alone, never the token.
fn code(url: &str) -> Vec<String> {
    // An address that is too long for a code stays a line of text.
    let Ok(code) = QrCode::new(url.as_bytes()) else {
        return Vec::new();
    };
    let drawn = code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build();
    drawn.lines().map(|line| format!("  {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_fits_on_a_terminal() {
        let lines = code("http://192.168.100.200:43270/");
        assert!((14..24).contains(&lines.len()), "{}", lines.len());
        assert!(lines.iter().all(|line| line.chars().count() <= 50));
        assert!(code(&"x".repeat(10_000)).is_empty());
    }
}
