//! `hearth stake`, `unstake`, `delegate`, `undelegate`, `supplier`.

use hearth_base::Amount;
use hearth_node::control::{
    Leaving, OperatorRole, OwnTransaction, RevenueShare, RoleName, RoleOrder, RoleReview, RolesPage,
    SendRole, ServiceOffer, SupplierRole, TransactionList, TransactionState, Upokt,
};

use super::{
    Client, Done, Exit, Fault, Out, Place,
    args::{Args, GivenRole, RoleArgs, StakeCommand, SupplierCommand},
    file::NewFile,
    message::{show_message, show_notes},
    out::{dim, plain, pokt, short, span, word},
    secret::password,
    tx,
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
            operator,
            stake,
            services,
            shares,
            how,
        } => (
            RoleOrder::StakeSupplier {
                operator: operator.clone(),
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

pub(super) async fn unstake(
    role: GivenRole,
    operator: Option<&str>,
    how: &RoleArgs,
    args: &Args,
    out: &Out,
) -> Done {
    if operator.is_some() && !matches!(role, GivenRole::Supplier) {
        let fault = Fault::wrong_use("only a supplier has an operator");
        return Err(fault.remedy("leave --operator out").into());
    }
    let operator = operator.map(str::to_owned);
    let role = match role {
        GivenRole::Supplier => RoleName::Supplier,
        GivenRole::Application => RoleName::Application,
        GivenRole::Gateway => RoleName::Gateway,
    };
    let order = RoleOrder::Unstake { role, operator };
    carry_out(&order, how, &client(args).await?, out).await
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

pub(super) async fn supplier(command: &SupplierCommand, args: &Args, out: &Out) -> Done {
    let SupplierCommand::Edit {
        operator,
        stake,
        services,
        shares,
        dropped,
        how,
    } = command;
    let order = RoleOrder::EditSupplier {
        operator: operator.clone(),
        stake: stake.as_deref().map(amount).transpose()?,
        services: offers(services, shares)?,
        dropped: dropped.clone(),
    };
    carry_out(&order, how, &client(args).await?, out).await
}

pub(super) async fn client(args: &Args) -> Result<Client, Exit> {
    let place = Place::find(args).await?;
    Client::connect(&place).await
}

fn amount(text: &str) -> Result<Upokt, Exit> {
    let amount = Amount::parse_pokt(text).map_err(|error| Fault::wrong_use(error.to_string()))?;
    Ok(Upokt(amount))
}

/// `SERVICE=URL` and `SERVICE=ADDRESS:PERCENT`.
pub(super) fn offers(services: &[String], shares: &[String]) -> Result<Vec<ServiceOffer>, Exit> {
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

/// What a trial run has not done. A former key signs its claim before it is looked at.
fn nothing_done(order: &RoleOrder) -> &'static str {
    if matches!(order, RoleOrder::ClaimMorse { .. }) {
        return "Nothing was sent. The Morse key has signed the claim, which is part of the message: it is for this account alone.";
    }
    "Nothing was signed."
}

/// Shows what would be signed, asks, signs, and waits for the blocks.
pub(super) async fn carry_out(order: &RoleOrder, how: &RoleArgs, client: &Client, out: &Out) -> Done {
    let review: RoleReview = client.post("/roles/review", order).await?;
    if how.dry_run {
        if out.json {
            out.value(&review);
        } else {
            show_review(out, &review);
            out.hint(nothing_done(order));
        }
        return Ok(());
    }
    if !out.json {
        show_review(out, &review);
    }
    if let Some(first) = review.steps.first()
        && let (Some(unsigned), Some(command)) = (&first.unsigned, &first.command)
    {
        return give_out(&review, unsigned, command, how, out);
    }
    if !how.yes {
        match out.agrees("Sign this? Type yes: ") {
            Some(true) => {}
            Some(false) => return Err(Fault::failed("not_signed", "nothing was signed").into()),
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

/// Writes what has to be signed elsewhere into a file, and says how.
fn give_out(
    review: &RoleReview,
    unsigned: &serde_json::Value,
    command: &str,
    how: &RoleArgs,
    out: &Out,
) -> Done {
    let to = &how.unsigned;
    NewFile::create(to, "--unsigned")?.fill(tx::text(unsigned).as_bytes())?;
    if out.json {
        out.value(review);
        return Ok(());
    }
    let command = command.replace("unsigned.json", &word(to));
    out.line(&format!("  {} is to be signed where that key is:", to.display()));
    out.line(&format!("  {command}"));
    out.elsewhere(&format!(
        "Another Hearth signs it with `hearth tx sign {}`.",
        word(to)
    ));
    out.hint("Bring signed.json back: `hearth tx broadcast signed.json`. What is left is done by the same command again.");
    Ok(())
}

fn show_review(out: &Out, review: &RoleReview) {
    for (number, step) in (1..).zip(&review.steps) {
        let how = if step.unsigned.is_some() {
            "signs elsewhere"
        } else {
            "signs"
        };
        out.line(&format!(
            "  {number}. the {} {how}, {}",
            step.purpose.word(),
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
    for (name, amount) in [("all together", review.total), ("fees, at most", review.max_fee)] {
        out.line(&format!("     {name:<22} {:>18}", pokt(amount.0)));
    }
    show_notes(out, &review.notes);
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
    show_suppliers(out, page, &leaving);
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
    for role in &page.other_applications {
        out.line(&format!(
            "  application  {} POKT for {}{}",
            pokt(role.stake.0),
            plain(&role.services.join(", ")),
            leaving(&role.leaving)
        ));
        let text = format!("of {}, which pays for nothing that this node asks", role.address);
        out.line(&format!("               {}", dim(&text)));
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

/// Whether it has to be said whose supplier is which: there are several, or the only one is served elsewhere.
fn names_operators(operators: &[OperatorRole]) -> bool {
    operators.len() > 1 || operators.iter().any(|operator| operator.is_elsewhere)
}

fn show_suppliers(out: &Out, page: &RolesPage, leaving: &dyn Fn(&Option<Leaving>) -> String) {
    if !names_operators(&page.operators) {
        match &page.supplier {
            None => out.line(&format!(
                "  supplier     not staked; the network asks for {} POKT",
                pokt(page.terms.supplier_least.0)
            )),
            Some(role) => show_supplier(out, role, &leaving(&role.leaving)),
        }
        return;
    }
    for operator in &page.operators {
        match &operator.supplier {
            None => out.line("  supplier     not staked"),
            Some(role) => show_supplier(out, role, &leaving(&role.leaving)),
        }
        let mut name = match operator.label.as_str() {
            "" => format!("its operator is {}", operator.address),
            label => format!("its operator is {label} ({})", operator.address),
        };
        if operator.is_elsewhere {
            name.push_str(", which serves it elsewhere");
        }
        out.line(&format!("               {}", dim(&plain(&name))));
    }
}

fn show_supplier(out: &Out, role: &SupplierRole, leaving: &str) {
    out.line(&format!("  supplier     {} POKT{leaving}", pokt(role.stake.0)));
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
        let urls = plain(&service.urls.join(", "));
        out.line(&format!(
            "               {} at {urls}{}",
            service.service,
            dim(&from)
        ));
        // Where the owner gets all there is nothing to say.
        for share in service
            .shares
            .iter()
            .filter(|share| share.address != role.owner || share.percent < 100)
        {
            let text = format!("{} % to {}", share.percent, share.address);
            out.line(&format!("                 {}", dim(&text)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_morse_key_has_signed_is_not_called_unsigned() {
        let claim = RoleOrder::ClaimMorse {
            claim: serde_json::json!({}),
        };
        assert!(!nothing_done(&claim).contains("Nothing was signed"));
        let other = RoleOrder::Delegate { gateway: None };
        assert_eq!(nothing_done(&other), "Nothing was signed.");
    }

    #[test]
    fn a_supplier_that_is_served_elsewhere_is_named_also_where_it_is_the_only_one() {
        let operator = |is_elsewhere| OperatorRole {
            address: "pokt1x".to_owned(),
            label: String::new(),
            is_elsewhere,
            supplier: None,
        };
        assert!(!names_operators(&[]));
        assert!(!names_operators(&[operator(false)]));
        assert!(names_operators(&[operator(true)]));
        assert!(names_operators(&[operator(false), operator(false)]));
    }

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
