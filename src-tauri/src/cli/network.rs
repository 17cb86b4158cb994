//! `hearth network`: how the chain is reached and trusted, and the decision where chain and trusted block contradict each
//! other.

use hearth_node::control::{Endpoint, EndpointState, NetworkPage};

use super::{
    Client, Done, Fault, Out, Place,
    args::{Args, NetworkCommand},
    out::{Glyph, dim, grouped},
};

pub(super) async fn run(command: Option<&NetworkCommand>, args: &Args, out: &Out) -> Done {
    let place = Place::find(args).await?;
    let client = Client::connect(&place).await?;
    let page: NetworkPage = client.get("/network").await?;
    let page = match command {
        None | Some(NetworkCommand::Show) => page,
        Some(NetworkCommand::Trust { yes }) => {
            may_trust(&page, *yes, out)?;
            client.post_empty("/network/trust").await?
        }
    };
    if out.json {
        out.value(&page);
    } else {
        show(&page, out);
    }
    Ok(())
}

/// Asks before the trusted block counts for more than what was verified.
fn may_trust(page: &NetworkPage, yes: bool, out: &Out) -> Done {
    if yes {
        return Ok(());
    }
    if let Some(trust) = &page.trust {
        out.line(&format!(
            "  block {}  {}",
            grouped(trust.height.into()),
            trust.hash
        ));
    }
    out.line("  What was verified so far is forgotten, and this block of the configuration counts. Compare its hash with");
    out.line("  somebody whom you trust first.");
    match out.ask("Accept the trusted block? Type yes: ").as_deref() {
        Some("yes") => Ok(()),
        Some(_) => Err(
            Fault::failed("not_accepted", "the trusted block was not accepted")
                .meaning("Money and earning wait until you decide.")
                .into(),
        ),
        None => Err(Fault::wrong_use("nobody is there to say yes")
            .remedy("add --yes to accept the trusted block without asking")
            .into()),
    }
}

fn show(page: &NetworkPage, out: &Out) {
    out.fact(Glyph::Ok, "Network", &page.network.chain_id, &page.network.name);
    match &page.head {
        None if page.problem.is_some() => out.fact(Glyph::Hollow, "Chain", "not followed", ""),
        None => out.fact(Glyph::Hollow, "Chain", "no endpoint answers", ""),
        Some(head) => out.fact(
            if page.problem.is_none() {
                Glyph::Ok
            } else {
                Glyph::Hollow
            },
            "Chain",
            &format!("block {}", grouped(head.height.into())),
            "",
        ),
    }
    if let Some(trust) = &page.trust {
        let block = format!("block {}", grouped(trust.height.into()));
        out.fact(Glyph::Ok, "Trusted", &block, &trust.source);
    }
    if let Some(problem) = &page.problem {
        out.reason(problem);
        if problem.code == "trust_conflict" {
            out.line("      → to accept the trusted block here: hearth network trust");
        }
    }
    for endpoint in &page.endpoints {
        show_endpoint(endpoint, out);
    }
}

fn show_endpoint(endpoint: &Endpoint, out: &Out) {
    let (glyph, words) = match endpoint.state {
        EndpointState::Ok => (Glyph::Ok, "answers"),
        EndpointState::Stale => (Glyph::Hollow, "is behind, or stands still"),
        EndpointState::Down => (Glyph::Hollow, "does not answer"),
        EndpointState::Lied => (Glyph::Hollow, "contradicted the signed chain: not used"),
        EndpointState::OtherChain => (Glyph::Hollow, "belongs to another chain"),
        EndpointState::Unknown => (Glyph::Hollow, "was not asked yet"),
    };
    out.fact(glyph, "Endpoint", &endpoint.url, words);
    if let Some(error) = &endpoint.error {
        out.line(&format!("      {}", dim(error)));
    }
}
