//! `hearth network`: how the chain is reached and trusted, and the decision where chain and trusted block contradict each
//! other.

use hearth_node::control::{
    AddEndpoint, ChainProgram, Endpoint, EndpointState, EndpointTrial, EndpointTrialList, FalseAnswerList,
    GiveAnchor, NameEndpoint, NetworkPage, TryEndpoints,
};
use serde_json::json;

use super::{
    Client, Done, Exit, Fault, Out, Place,
    args::{Args, EndpointsCommand, NetworkCommand},
    out::{Glyph, dim, grouped, told},
    secret,
};

pub(super) async fn run(command: Option<&NetworkCommand>, args: &Args, out: &Out) -> Done {
    let place = Place::find(args).await?;
    let client = Client::connect(&place).await?;
    let page: NetworkPage = match command {
        None | Some(NetworkCommand::Show) => client.get("/network").await?,
        Some(NetworkCommand::Endpoints { command }) => {
            return endpoints(&client, command.as_ref(), out).await;
        }
        Some(NetworkCommand::Evidence) => return evidence(&client, out).await,
        Some(NetworkCommand::Trust { forget: true, .. }) => {
            client.delete("/network/anchor").await?;
            client.get("/network").await?
        }
        Some(NetworkCommand::Trust {
            height: Some(height),
            hash,
            instead,
            ..
        }) => {
            let anchor = GiveAnchor {
                height: *height,
                hash: hash.clone().unwrap_or_default(),
                instead: *instead,
            };
            client.post("/network/anchor", &anchor).await?
        }
        Some(NetworkCommand::Trust { yes, .. }) => {
            may_trust(&client.get("/network").await?, *yes, out)?;
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

async fn endpoints(client: &Client, command: Option<&EndpointsCommand>, out: &Out) -> Done {
    let page: NetworkPage = match command {
        None => client.get("/network").await?,
        Some(EndpointsCommand::Add { url }) => {
            let url = match url {
                Some(url) => url.clone(),
                None => unseen_address()?,
            };
            client.post("/network/endpoints", &AddEndpoint { url }).await?
        }
        Some(EndpointsCommand::Rm { endpoint }) => {
            let named = NameEndpoint {
                endpoint: endpoint.clone(),
            };
            client.post("/network/endpoints/remove", &named).await?
        }
        Some(EndpointsCommand::Test { endpoint }) => {
            let which = TryEndpoints {
                endpoint: endpoint.clone(),
            };
            let list: EndpointTrialList = client.post("/network/endpoints/test", &which).await?;
            if out.json {
                out.value(&list);
            } else {
                list.trials.iter().for_each(|trial| show_trial(trial, out));
            }
            return Ok(());
        }
    };
    if out.json {
        out.value(&json!({ "endpoints": page.endpoints }));
    } else {
        page.endpoints
            .iter()
            .for_each(|endpoint| show_endpoint(endpoint, out));
    }
    Ok(())
}

/// An address that is typed unseen, since it may hold an access key.
fn unseen_address() -> Result<String, Exit> {
    secret::typed("Address of the endpoint: ", "an address").map(|text| text.trim().to_owned())
}

async fn evidence(client: &Client, out: &Out) -> Done {
    let list: FalseAnswerList = client.get("/network/evidence").await?;
    if out.json {
        out.value(&list);
        return Ok(());
    }
    if list.answers.is_empty() {
        out.line("  no endpoint gave a false answer");
    }
    for lie in &list.answers {
        out.fact(Glyph::Hollow, "False", &lie.endpoint, &lie.at.0.to_string());
        out.line(&format!("      {}", told(&lie.why)));
        if !lie.question.is_empty() {
            out.line(&format!("      {}", dim(&told(&lie.question))));
        }
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
    match out.agrees("Accept the trusted block? Type yes: ") {
        Some(true) => Ok(()),
        Some(false) => Err(
            Fault::failed("not_accepted", "the trusted block was not accepted")
                .meaning("Money and earning wait until you decide.")
                .into(),
        ),
        None => Err(Fault::wrong_use("nobody is there to say yes")
            .remedy("add --yes to accept the trusted block without asking")
            .into()),
    }
}

/// The chain's program, and what comes next.
fn show_program(program: &ChainProgram, out: &Out) {
    let glyph = |is_newer: bool| if is_newer { Glyph::Hollow } else { Glyph::Ok };
    let newer = |is_newer: bool| match is_newer {
        true => format!(
            "tested with {} only: look for a newer Hearth",
            program.tested_with
        ),
        false => String::new(),
    };
    if !program.version.is_empty() {
        out.fact(
            glyph(program.is_newer),
            "Program",
            &program.version,
            &newer(program.is_newer),
        );
    }
    if let Some(next) = &program.upgrade {
        let at = format!("{} at block {}", next.name, grouped(next.height.into()));
        out.fact(glyph(next.is_newer), "Upgrade", &at, &newer(next.is_newer));
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
    if let Some(program) = &page.program {
        show_program(program, out);
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
    if let Some(offered) = &page.offered {
        out.line(&format!(
            "      an endpoint shows block {}",
            grouped(offered.height.into())
        ));
        out.line(&format!("      {}", offered.hash));
        out.line("      → compare it with somebody whom you trust, then: hearth network trust HEIGHT HASH");
    }
    for endpoint in &page.endpoints {
        show_endpoint(endpoint, out);
    }
    if page.false_answers > 0 {
        out.line(&format!(
            "      {} false answers are kept: hearth network evidence",
            page.false_answers
        ));
    }
}

fn show_endpoint(endpoint: &Endpoint, out: &Out) {
    let (glyph, words) = match endpoint.state {
        EndpointState::Ok => (Glyph::Ok, "answers"),
        EndpointState::Stale => (Glyph::Hollow, "is behind, or stands still"),
        EndpointState::Down => (Glyph::Hollow, "does not answer"),
        EndpointState::Limited => (Glyph::Hollow, "takes no more questions for a while"),
        EndpointState::Lied => (Glyph::Hollow, "contradicted the signed chain: not used"),
        EndpointState::OtherChain => (Glyph::Hollow, "belongs to another chain"),
        EndpointState::Unknown => (Glyph::Hollow, "was not asked yet"),
    };
    let latency = endpoint
        .latency_ms
        .map_or(String::new(), |ms| format!(", {ms} ms"));
    let words = format!("{words}, score {}{latency}", endpoint.score);
    out.fact(glyph, "Endpoint", &endpoint.url, &words);
    let origin = if endpoint.added { "added" } else { "configured" };
    let lies = match endpoint.lies {
        0 => String::new(),
        lies => format!(", false answers: {lies}"),
    };
    out.line(&format!(
        "      {}",
        dim(&format!("{}, {origin}{lies}", endpoint.id))
    ));
    if let Some(error) = &endpoint.error {
        out.line(&format!("      {}", dim(&told(error))));
    }
}

fn show_trial(trial: &EndpointTrial, out: &Out) {
    let is_good = trial.error.is_none() && trial.proves && trial.agrees != Some(false);
    let glyph = if is_good { Glyph::Ok } else { Glyph::Hollow };
    let latency = trial
        .latency_ms
        .map_or("no answer".to_owned(), |ms| format!("{ms} ms"));
    out.fact(glyph, "Endpoint", &trial.url, &latency);
    let height = trial
        .height
        .map_or("-".to_owned(), |height| grouped(height.into()));
    let agrees = match trial.agrees {
        Some(true) => "has the verified block",
        Some(false) => "contradicts the verified block",
        None => "nothing to compare with",
    };
    let proves = if trial.proves {
        "gives proofs"
    } else {
        "gives no proofs"
    };
    out.line(&format!(
        "      {}",
        dim(&format!(
            "{}, block {height}, {agrees}, {proves}",
            told(&trial.chain)
        ))
    ));
    if let Some(error) = &trial.error {
        out.line(&format!("      {}", dim(&told(error))));
    }
}
