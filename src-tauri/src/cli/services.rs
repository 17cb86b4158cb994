//! `hearth service`: the services of the network, their cards, and changes of own ones.

use std::path::Path;

use hearth_node::control::{RoleOrder, ServiceCard, ServiceDetail, ServiceEntry, ServiceList};
use serde_json::Value;

use super::{
    Client, Done, Exit, Fault, Out,
    args::{Args, RoleArgs, ServiceCommand, ServiceValues},
    file,
    out::{bold, dim, fit, grouped, plain, short},
    roles::{carry_out, client},
};

/// Rows that are asked for at once.
const ROWS: usize = 100;
/// Lines of a card that a terminal shows.
const CARD_LINES: usize = 60;

pub(super) async fn run(command: &ServiceCommand, args: &Args, out: &Out) -> Done {
    let client = client(args).await?;
    match command {
        ServiceCommand::List { search, own } => list(search.as_deref(), *own, &client, out).await,
        ServiceCommand::Cards { id } => cards(id.as_deref(), &client, out).await,
        ServiceCommand::Add { id, values, how } => change(id, values, false, how, &client, out).await,
        ServiceCommand::Edit { id, values, how } => change(id, values, true, how, &client, out).await,
    }
}

async fn change(
    id: &str,
    values: &ServiceValues,
    is_edit: bool,
    how: &RoleArgs,
    client: &Client,
    out: &Out,
) -> Done {
    let order = RoleOrder::Service {
        id: id.to_owned(),
        name: values.name.clone(),
        compute_units: values.compute_units,
        card: values.card.as_deref().map(read_card).transpose()?,
        is_edit,
    };
    carry_out(&order, how, client, out).await
}

fn read_card(path: &Path) -> Result<Value, Exit> {
    let text = file::read(path, file::DOCUMENT, "a file with one JSON object")?;
    serde_json::from_slice(&text).map_err(|error| {
        let why = hearth_base::json::fault(&error);
        Fault::wrong_use(format!("{} {why}", path.display()))
            .remedy("name a file with one JSON object")
            .into()
    })
}

/// A text as it stands in an address.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// All that are wanted, page by page; own ones come first.
async fn read(search: Option<&str>, own: bool, client: &Client) -> Result<ServiceList, Exit> {
    let search = encoded(search.unwrap_or_default());
    let mut all = ServiceList {
        services: Vec::new(),
        total: 0,
    };
    loop {
        let offset = all.services.len();
        let page: ServiceList = client
            .get(&format!(
                "/roles/services?q={search}&limit={ROWS}&offset={offset}"
            ))
            .await?;
        let (n_read, has_others) = (page.services.len(), page.services.iter().any(|one| !one.is_own));
        all.total = page.total;
        all.services.extend(page.services);
        if n_read == 0 || all.services.len() as u64 >= page.total || (own && has_others) {
            break;
        }
    }
    if own {
        all.services.retain(|service| service.is_own);
        all.total = all.services.len() as u64;
    }
    Ok(all)
}

async fn list(search: Option<&str>, own: bool, client: &Client, out: &Out) -> Done {
    let found = read(search, own, client).await?;
    if out.json {
        out.value(&found);
        return Ok(());
    }
    for service in &found.services {
        show(service, out);
    }
    if found.services.is_empty() {
        out.line(&out.typed(&format!("  {}", nothing(search, own))));
    }
    Ok(())
}

/// Why the list is empty, and what to do.
fn nothing(search: Option<&str>, own: bool) -> String {
    let asked = search
        .map(|search| plain(search.trim()))
        .filter(|search| !search.is_empty());
    match (asked, own) {
        (Some(asked), true) => {
            format!(
                "no service of this wallet has \"{asked}\" in its id or name: `hearth service list --own` shows them"
            )
        }
        (Some(asked), false) => {
            format!("no service has \"{asked}\" in its id or name: `hearth service list` shows all")
        }
        (None, true) => "this wallet owns no service: `hearth service add` makes one".to_owned(),
        (None, false) => "this network has no services yet, so nothing can be sold or bought on it: \
                          `hearth service add ID --compute-units N` makes one"
            .to_owned(),
    }
}

fn show(service: &ServiceEntry, out: &Out) {
    let owner = if service.is_own {
        "yours".to_owned()
    } else {
        short(&plain(&service.owner))
    };
    let units = format!("{} units", grouped(service.compute_units.into()));
    let id = format!("{:<28}", fit(&service.id, 28));
    out.line(&format!(
        "  {} {:<24} {units:>16}  {}",
        bold(&id),
        fit(&service.name, 24),
        dim(&owner)
    ));
}

/// The card of one service, or of all own ones.
async fn cards(id: Option<&str>, client: &Client, out: &Out) -> Done {
    let ids = match id {
        Some(id) => vec![id.to_owned()],
        None => {
            let own = read(None, true, client).await?.services;
            own.into_iter().map(|service| service.id).collect()
        }
    };
    let mut found: Vec<ServiceDetail> = Vec::new();
    for id in &ids {
        found.push(client.get(&format!("/roles/services/{}", encoded(id))).await?);
    }
    if out.json {
        out.value(&serde_json::json!({ "services": found }));
        return Ok(());
    }
    for one in &found {
        show(&one.service, out);
        match &one.card {
            Some(card) => show_card(card, out),
            None => out.line("    no card"),
        }
    }
    if found.is_empty() {
        out.line("  this wallet owns no service: name one, `hearth service list` shows them");
    }
    Ok(())
}

/// Anybody's document: cut where it is long, and without what would move the cursor.
fn show_card(card: &ServiceCard, out: &Out) {
    let Some(document) = &card.document else {
        let problem = card.problem.as_deref().unwrap_or("it cannot be shown");
        out.line(&format!("    a card of {} bytes: {}", card.bytes, plain(problem)));
        return;
    };
    let text = serde_json::to_string_pretty(document).unwrap_or_default();
    for line in text.lines().take(CARD_LINES) {
        out.line(&format!("    {}", fit(line, 76)));
    }
    if text.lines().count() > CARD_LINES {
        out.hint("    … and more: --json has all of it");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_empty_list_says_why_it_is_empty() {
        let said = super::nothing;
        assert!(said(None, false).starts_with("this network has no services yet"));
        assert!(said(Some(" "), false).contains("`hearth service add"));
        assert!(said(Some("gpt\u{1b}"), false).contains("\"gpt\u{fffd}\""));
        assert!(said(Some("gpt"), true).contains("--own"));
        assert!(said(None, true).starts_with("this wallet owns no service"));
    }

    #[test]
    fn what_is_searched_stands_in_the_address() {
        assert_eq!(super::encoded("a-b_c"), "a-b_c");
        assert_eq!(super::encoded("a/b?c=é"), "a%2Fb%3Fc%3D%C3%A9");
    }
}
