//! `hearth earn`.

use hearth_node::control::{EarnedSessionList, Earning, EarningPage, EarningState, SupplierEarning};

use super::{
    Client, Done, Exit, Out, Place,
    args::{Args, EarnCommand},
    contacts::url_encoded,
    fault::NOT_READY,
    out::{Glyph, dim, fit, pokt, short},
};

pub(super) async fn run(command: &EarnCommand, args: &Args, out: &Out) -> Done {
    let place = Place::find(args).await?;
    let client = Client::connect(&place).await?;
    match command {
        EarnCommand::Start => {
            let earning: Earning = client.post_empty("/earning/start").await?;
            show(out, &earning);
            if earning.state == EarningState::Off && !earning.reasons.is_empty() {
                return Err(Exit::Said(NOT_READY));
            }
        }
        EarnCommand::Stop => show(out, &client.post_empty("/earning/stop").await?),
        EarnCommand::Status => status(out, &client).await?,
        EarnCommand::Acknowledge { operator } => {
            let path = match operator {
                Some(operator) => format!("/earning/acknowledge?supplier={}", url_encoded(operator)),
                None => "/earning/acknowledge".to_owned(),
            };
            show(out, &client.post_empty(&path).await?);
        }
    }
    Ok(())
}

/// The state in the words of the design.
pub(crate) fn words(earning: &Earning) -> String {
    let detail = earning.detail.as_deref();
    let with = |word: &str, detail: Option<&str>| {
        detail.map_or_else(|| word.to_owned(), |detail| format!("{word}, {detail}"))
    };
    match (earning.state, earning.serving) {
        (EarningState::Off, _) => match earning.reasons.len() {
            0 => "off, ready".to_owned(),
            1 => "off, 1 thing to do".to_owned(),
            n => format!("off, {n} things to do"),
        },
        (EarningState::Starting, _) => with("starting", detail),
        (EarningState::Idle, _) => with("idle", Some(detail.unwrap_or("waiting for work"))),
        (EarningState::Serving, 1) => "serving 1 answer".to_owned(),
        (EarningState::Serving, n) => format!("serving {n} answers"),
        (EarningState::Yielding, _) => with("yielding", detail),
        (EarningState::Draining, n) => format!("draining, {n} answers left"),
    }
}

/// The first reason why it is not earning.
pub(super) fn aside(earning: &Earning) -> String {
    earning
        .reasons
        .first()
        .map(|reason| reason.code.clone())
        .unwrap_or_default()
}

fn show(out: &Out, earning: &Earning) {
    if out.json {
        out.value(earning);
        return;
    }
    let glyph = match earning.state {
        EarningState::Idle | EarningState::Serving => Glyph::Ember,
        EarningState::Off | EarningState::Starting | EarningState::Yielding | EarningState::Draining => {
            Glyph::Hollow
        }
    };
    out.fact(glyph, "Earning", &words(earning), "");
    earning.reasons.iter().for_each(|reason| out.reason(reason));
    if !earning.notes.is_empty() {
        out.line("  worth knowing, and in the way of nothing:");
        earning.notes.iter().for_each(|note| out.reason(note));
    }
    if earning.suppliers.len() > 1 {
        out.line("");
        out.line("  suppliers of this node:");
        earning.suppliers.iter().for_each(|one| show_supplier(out, one));
    }
}

/// One of several: what stands in the way of it stops no other.
fn show_supplier(out: &Out, supplier: &SupplierEarning) {
    let owner = match &supplier.owner {
        Some(owner) if *owner != supplier.operator => format!("owned by {}", short(owner)),
        Some(_) | None => String::new(),
    };
    let codes: Vec<&str> = supplier
        .reasons
        .iter()
        .map(|reason| reason.code.as_str())
        .collect();
    let state = match (supplier.state, supplier.serving) {
        (EarningState::Serving, n) => format!("serving {n}"),
        (EarningState::Draining, n) => format!("draining, {n} left"),
        (EarningState::Idle, _) => "idle".to_owned(),
        (EarningState::Starting, _) => "starting".to_owned(),
        (EarningState::Yielding, _) => "yielding".to_owned(),
        (EarningState::Off, _) if codes.is_empty() => "off".to_owned(),
        (EarningState::Off, _) => format!("off: {}", codes.join(", ")),
    };
    out.line(&format!("  {}  {state:<24} {owner}", supplier.operator));
}

async fn status(out: &Out, client: &Client) -> anyhow::Result<()> {
    let page: EarningPage = client.get("/earning").await?;
    let sessions: EarnedSessionList = client.get("/earning/sessions").await?;
    if out.json {
        out.value(&serde_json::json!({ "earning": page, "sessions": sessions }));
        return Ok(());
    }
    show(out, &page.earning);
    let has_several = page.earning.suppliers.len() > 1;
    if sessions.sessions.is_empty() {
        return Ok(());
    }
    out.line("");
    out.line(&format!(
        "  {}",
        dim(&format!(
            "{:<15} {:<15} {:>7} {:<18} {:>15}{}",
            "SESSION",
            "BLOCKS",
            "ANSWERS",
            "STATE",
            "POKT",
            if has_several { "  SUPPLIER" } else { "" }
        ))
    ));
    for session in sessions.sessions.iter().take(20) {
        // Every word of the API is snake_case; people read spaces.
        let state = serde_json::to_value(session.state)
            .ok()
            .and_then(|word| word.as_str().map(|word| word.replace('_', " ")))
            .unwrap_or_default();
        let amount = if session.estimated {
            format!("≈ {}", pokt(session.amount.0))
        } else {
            pokt(session.amount.0)
        };
        let blocks = format!("{}–{}", session.start_height, session.end_height);
        out.line(&format!(
            "  {:<15} {blocks:<15} {:>7} {:<18} {amount:>15}{}",
            short(&session.id),
            session.answers,
            fit(&state, 18),
            if has_several {
                format!("  {}", short(&session.supplier))
            } else {
                String::new()
            }
        ));
    }
    Ok(())
}
