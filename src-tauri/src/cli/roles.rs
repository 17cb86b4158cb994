//! `hearth stake`, `unstake`, `delegate`, `undelegate`, `service`.

use std::path::Path;

use anyhow::Context as _;
use hearth_base::Amount;
use hearth_node::control::{
    KeyRole, Leaving, OwnTransaction, RevenueShare, RoleName, RoleOrder, RoleReview, RolesPage, SendRole,
    ServiceOffer, TransactionList, TransactionState, Upokt,
};

use super::{
    Client, Done, Exit, Fault, Out, Place,
    args::{Args, GivenRole, RoleArgs, ServiceCommand, StakeCommand},
    out::{dim, pokt, short, span},
    secret::password,
};

/// Shows the roles, or stakes.
pub(super) async fn stake(command: Option<&StakeCommand>, args: &Args, out: &Out) -> Done {
    let client = client(args).await?;
    let Some(command) = command else {
        show(out, &client.get("/roles").await?);
        return Ok(());
    };
    let (order, how) = match command {
        StakeCommand::Supplier {
            stake,
            services,
            shares,
            how,
        } => (
            RoleOrder::StakeSupplier {
                stake: stake.as_deref().map(amount).transpose()?,
                services: offers(services, shares)?,
            },
            how,
        ),
        StakeCommand::Application {
            stake,
            service,
            session_limit,
            how,
        } => (
            RoleOrder::StakeApplication {
                stake: amount(stake)?,
                service: service.clone(),
                session_limit: session_limit.as_deref().map(amount).transpose()?,
            },
            how,
        ),
        StakeCommand::Gateway { stake, how } => (
            RoleOrder::StakeGateway {
                stake: amount(stake)?,
            },
            how,
        ),
    };
    carry_out(&order, how, &client, out).await
}

pub(super) async fn unstake(role: GivenRole, how: &RoleArgs, args: &Args, out: &Out) -> Done {
    let role = match role {
        GivenRole::Supplier => RoleName::Supplier,
        GivenRole::Application => RoleName::Application,
        GivenRole::Gateway => RoleName::Gateway,
    };
    carry_out(&RoleOrder::Unstake { role }, how, &client(args).await?, out).await
}

pub(super) async fn delegate(
    gateway: Option<&str>,
    is_taken_back: bool,
    how: &RoleArgs,
    args: &Args,
    out: &Out,
) -> Done {
    let gateway = gateway.map(str::to_owned);
    let order = if is_taken_back {
        RoleOrder::Undelegate { gateway }
    } else {
        RoleOrder::Delegate { gateway }
    };
    carry_out(&order, how, &client(args).await?, out).await
}

pub(super) async fn service(command: &ServiceCommand, args: &Args, out: &Out) -> Done {
    let ServiceCommand::Add {
        id,
        name,
        compute_units,
        card,
        how,
    } = command;
    let order = RoleOrder::Service {
        id: id.clone(),
        name: name.clone().unwrap_or_else(|| id.clone()),
        compute_units: *compute_units,
        card: card.as_deref().map(read_card).transpose()?,
    };
    carry_out(&order, how, &client(args).await?, out).await
}

async fn client(args: &Args) -> Result<Client, Exit> {
    let place = Place::find(args).await?;
    Client::connect(&place).await
}

fn amount(text: &str) -> Result<Upokt, Exit> {
    let amount = Amount::parse_pokt(text).map_err(|error| Fault::wrong_use(error.to_string()))?;
    Ok(Upokt(amount))
}

fn read_card(path: &Path) -> Result<serde_json::Value, Exit> {
    let text = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| {
        Fault::wrong_use(format!("{} is no JSON: {error}", path.display()))
            .remedy("name a file with one JSON object")
            .into()
    })
}

/// `SERVICE=URL` and `SERVICE=ADDRESS:PERCENT`.
fn offers(services: &[String], shares: &[String]) -> Result<Vec<ServiceOffer>, Exit> {
    let mut offers = Vec::new();
    for text in services {
        let (service, url) = text.split_once('=').ok_or_else(|| {
            Fault::wrong_use(format!("\"{text}\" is no service and its address"))
                .remedy("write --service ID=https://HOST:PORT")
        })?;
        offers.push(ServiceOffer {
            service: service.to_owned(),
            url: url.to_owned(),
            shares: Vec::new(),
        });
    }
    for text in shares {
        let wrong = || {
            Fault::wrong_use(format!("\"{text}\" is no share of a service"))
                .remedy("write --share ID=ADDRESS:PERCENT, for a service that is named, too")
        };
        let (service, share) = text.split_once('=').ok_or_else(wrong)?;
        let (address, percent) = share.rsplit_once(':').ok_or_else(wrong)?;
        let offer = offers
            .iter_mut()
            .find(|offer| offer.service == service)
            .ok_or_else(wrong)?;
        offer.shares.push(RevenueShare {
            address: address.to_owned(),
            percent: percent.trim_end_matches('%').parse().map_err(|_| wrong())?,
        });
    }
    Ok(offers)
}

/// Shows what would be signed, asks, signs, and waits for the blocks.
async fn carry_out(order: &RoleOrder, how: &RoleArgs, client: &Client, out: &Out) -> Done {
    let review: RoleReview = client.post("/roles/review", order).await?;
    if how.dry_run {
        if out.json {
            out.value(&review);
        } else {
            show_review(out, &review);
            out.hint("Nothing was signed.");
        }
        return Ok(());
    }
    if !out.json {
        show_review(out, &review);
    }
    if !how.yes {
        match out.ask("Sign this? Type yes: ").as_deref() {
            Some("yes") => {}
            Some(_) => return Err(Fault::failed("not_signed", "nothing was signed").into()),
            None => {
                let fault = Fault::wrong_use("nobody is there to say yes");
                return Err(fault
                    .remedy("add --yes to sign without asking, or --dry-run to look")
                    .into());
            }
        }
    }
    // One that is named is looked at, also where it is not needed.
    let asks = review.needs_password || how.password.password_file.is_some();
    let password = asks.then(|| password(&how.password, "Password: ")).transpose()?;
    let n_steps = review.steps.len();
    let sent: TransactionList = client
        .post_signed(
            "/roles/send",
            &SendRole {
                review_id: review.review_id,
                password,
            },
        )
        .await?;
    let is_done =
        |one: &OwnTransaction| matches!(one.state, TransactionState::Placed | TransactionState::Included);
    let all_done = sent.transactions.len() == n_steps && sent.transactions.iter().all(is_done);
    if out.json {
        out.value(&sent);
    } else {
        for one in sent.transactions.iter().filter(|one| is_done(one)) {
            let tx = one.tx.as_deref().map(short).unwrap_or_default();
            out.line(&format!(
                "  done in block {}: {tx}",
                one.height.unwrap_or_default()
            ));
        }
    }
    if all_done {
        return Ok(());
    }
    let why = sent
        .transactions
        .iter()
        .find(|one| !is_done(one))
        .and_then(|one| one.why.clone());
    let message = "not all of it is done";
    let fault = Fault::failed(
        "not_done",
        why.map_or(message.to_owned(), |why| format!("{message}: {why}")),
    );
    if out.json {
        return Err(Exit::Said(super::fault::FAILED));
    }
    Err(fault
        .remedy("`hearth wallet transactions` says what became of it; the same command again does what is missing")
        .into())
}

fn show_review(out: &Out, review: &RoleReview) {
    for (number, step) in (1..).zip(&review.steps) {
        let key = match step.key {
            KeyRole::Main => "main",
            KeyRole::Working => "working",
        };
        out.line(&format!(
            "  {number}. the {key} key signs, {}",
            dim(&step.account)
        ));
        for message in &step.messages {
            show_message(out, message);
        }
        if !step.amount.0.is_zero() {
            out.line(&format!(
                "     {:<22} {:>18}",
                "leaves the account",
                pokt(step.amount.0)
            ));
        }
    }
    out.line(&format!(
        "     {:<22} {:>18}",
        "fees, at most",
        pokt(review.max_fee.0)
    ));
    for note in &review.notes {
        out.line(&format!("  - {}", note.text));
    }
}

/// A message as the chain's own JSON, field by field.
fn show_message(out: &Out, message: &serde_json::Value) {
    let Some(fields) = message.as_object() else { return };
    let kind = fields
        .get("@type")
        .and_then(serde_json::Value::as_str)
        .unwrap_or_default();
    out.line(&format!("     {}", kind.rsplit('.').next().unwrap_or(kind)));
    for (name, value) in fields.iter().filter(|(name, _)| *name != "@type") {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if !matches!(text.as_str(), "" | "null" | "[]") {
            out.line(&format!("       {name:<20} {}", dim(&text)));
        }
    }
}

fn show(out: &Out, page: &RolesPage) {
    if out.json {
        out.value(page);
        return;
    }
    let leaving = |leaving: &Option<Leaving>| {
        leaving.as_ref().map_or(String::new(), |leaving| {
            let time = leaving.seconds.map_or(String::new(), |seconds| {
                format!(", in about {}", span(seconds * 1000))
            });
            format!(", on its way out: free after block {}{time}", leaving.free_height)
        })
    };
    match &page.supplier {
        None => out.line(&format!(
            "  supplier     not staked; the network asks for {} POKT",
            pokt(page.terms.supplier_least.0)
        )),
        Some(role) => {
            out.line(&format!(
                "  supplier     {} POKT{}",
                pokt(role.stake.0),
                leaving(&role.leaving)
            ));
            if !role.is_own {
                out.line(&format!(
                    "               its owner is {}, not this wallet",
                    role.owner
                ));
            }
            for service in &role.services {
                let from = service
                    .from_height
                    .map_or(String::new(), |height| format!(", from block {height}"));
                out.line(&format!(
                    "               {} at {}{}",
                    service.service,
                    service.urls.join(", "),
                    dim(&from)
                ));
            }
        }
    }
    match &page.application {
        None => out.line(&format!(
            "  application  not staked; the network asks for {} POKT",
            pokt(page.terms.application_least.0)
        )),
        Some(role) => {
            out.line(&format!(
                "  application  {} POKT for {}{}",
                pokt(role.stake.0),
                role.services.join(", "),
                leaving(&role.leaving)
            ));
            for gateway in &role.gateways {
                out.line(&format!("               {} signs for it", dim(gateway)));
            }
        }
    }
    match &page.gateway {
        None => out.line(&format!(
            "  gateway      not staked; the network asks for {} POKT",
            pokt(page.terms.gateway_least.0)
        )),
        Some(role) => out.line(&format!(
            "  gateway      {} POKT{}",
            pokt(role.stake.0),
            leaving(&role.leaving)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_and_shares_are_read_together() {
        let text = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let read = offers(
            &text(&["a=https://h:1", "b=https://h:2/x=y"]),
            &text(&["a=pokt1x:60%", "a=pokt1y:40"]),
        );
        let read = read.unwrap();
        assert_eq!(read[1].url, "https://h:2/x=y");
        let percents: Vec<u64> = read[0].shares.iter().map(|share| share.percent).collect();
        assert_eq!(percents, [60, 40]);
        for (services, shares) in [
            (&["a"][..], &[][..]),
            (&["a=u"], &["b=pokt1x:100"]),
            (&["a=u"], &["a=pokt1x"]),
            (&["a=u"], &["a=pokt1x:half"]),
        ] {
            assert!(
                offers(&text(services), &text(shares)).is_err(),
                "{services:?} {shares:?}"
            );
        }
    }
}
