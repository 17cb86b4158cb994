//! A chain's message for the terminal: the fields of its JSON, amounts in POKT, messages inside it further in.

use hearth_base::Amount;
use hearth_node::control::RoleNote;
use serde_json::{Map, Value};

use super::{
    Out,
    out::{dim, plain, pokt, red},
};

/// Deeper than any message is shown.
const MAX_DEPTH: usize = 64;

/// Shows a message.
pub(super) fn show_message(out: &Out, message: &Value) {
    for line in lines(message) {
        out.line(&line);
    }
}

/// Shows what to know: what hands a power over stands out.
pub(super) fn show_notes(out: &Out, notes: &[RoleNote]) {
    for note in notes {
        let text = plain(&note.text);
        if note.danger {
            out.line(&format!("  {} {}", red("!"), red(&text)));
        } else {
            out.line(&format!("  - {text}"));
        }
    }
}

fn lines(message: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(fields) = message.as_object() {
        inside(fields, 5, &mut lines);
    }
    lines
}

/// The name of a message with its fields, or the fields of a part of one.
fn inside(fields: &Map<String, Value>, indent: usize, lines: &mut Vec<String>) {
    if indent > MAX_DEPTH {
        return;
    }
    let mut at = indent;
    if let Some(kind) = fields.get("@type").and_then(Value::as_str) {
        let kind = plain(kind.rsplit('.').next().unwrap_or(kind));
        lines.push(format!("{:at$}{kind}", ""));
        at += 2;
    }
    for (name, value) in fields.iter().filter(|(name, _)| *name != "@type") {
        field(name, value, at, lines);
    }
}

fn field(name: &str, value: &Value, at: usize, lines: &mut Vec<String>) {
    let name = plain(name);
    if let Some(text) = on_one_line(value) {
        if !text.is_empty() {
            lines.push(format!("{:at$}{name:<20} {}", "", dim(&plain(&text))));
        }
        return;
    }
    let list = std::slice::from_ref(value);
    for part in value.as_array().map_or(list, Vec::as_slice) {
        match part.as_object() {
            Some(fields) => {
                lines.push(format!("{:at$}{name}", ""));
                inside(fields, at + 2, lines);
            }
            None => lines.push(format!("{:at$}{name:<20} {}", "", dim(&plain(&part.to_string())))),
        }
    }
}

/// What needs no lines of its own; empty where nothing is said.
fn on_one_line(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(list) => {
            let parts: Option<Vec<String>> = list.iter().map(on_one_line).collect();
            parts.map(|parts| parts.join(", "))
        }
        Value::Object(_) => coin(value),
    }
}

/// Money: in POKT where it is that.
fn coin(value: &Value) -> Option<String> {
    let fields = value.as_object().filter(|fields| fields.len() == 2)?;
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let (denom, amount) = (text("denom")?, text("amount")?);
    let upokt = amount.parse().ok().filter(|_| denom == "upokt");
    Some(match upokt {
        Some(upokt) => format!("{} POKT", pokt(Amount::from_upokt(upokt))),
        None => format!("{amount} {denom}"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(message: &Value) -> String {
        let text = lines(message).join("\n");
        console::strip_ansi_codes(&text).into_owned()
    }

    #[test]
    fn amounts_are_in_pokt_and_what_says_nothing_is_left_out() {
        let text = shown(&json!({
            "@type": "/cosmos.bank.v1beta1.MsgSend",
            "from_address": "pokt1me",
            "amount": [{ "denom": "upokt", "amount": "1234500000" }, { "denom": "ibc/1", "amount": "7" }],
            "note": "", "list": [], "none": null,
        }));
        assert!(text.starts_with("     MsgSend\n"), "{text}");
        assert!(
            text.contains("amount               1,234.500000 POKT, 7 ibc/1"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 3, "{text}");
    }

    #[test]
    fn messages_inside_others_are_shown_as_messages() {
        let text = shown(&json!({
            "@type": "/cosmos.authz.v1beta1.MsgExec",
            "grantee": "pokt1me",
            "msgs": [{
                "@type": "/cosmos.bank.v1beta1.MsgSend",
                "from_address": "pokt1boss\u{1b}[2K",
                "amount": [{ "denom": "upokt", "amount": "5000000" }],
            }],
        }));
        let wanted = [
            "     MsgExec",
            "       grantee              pokt1me",
            "       msgs",
            "         MsgSend",
            "           amount               5.000000 POKT",
            "           from_address         pokt1boss\u{fffd}[2K",
        ];
        let mut got: Vec<&str> = text.lines().collect();
        got.sort_unstable_by_key(|line| wanted.iter().position(|wanted| wanted == line));
        assert_eq!(got, wanted, "{text}");
    }
}
