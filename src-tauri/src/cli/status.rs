//! `hearth status`.

use std::time::Duration;

use hearth_node::control::{
    Balances, EarningState, EarningSummary, Model, ModelKind, ModelList, MoneyStage, Reason, Status, Trust,
};

use super::{
    Client, Done, Fault, Out, Place,
    args::Args,
    out::{Glyph, bold, dim, fit, green, grouped, pokt, short, span, yellow},
};

/// How long each part of it is waited for.
const WITHIN: Duration = Duration::from_secs(5);

/// Everything that the command shows, for `--json`.
#[derive(serde::Serialize)]
struct Shown<'a> {
    status: &'a Status,
    summary: Option<&'a EarningSummary>,
    balances: Option<&'a Balances>,
}

pub(super) async fn run(args: &Args, out: &Out) -> Done {
    let place = Place::find(args).await?;
    let client = Client::connect(&place).await?;
    let status: Option<Status> = soon(client.get("/status")).await?;
    let status = status.ok_or_else(|| {
        Fault::not_ready("not_answering", "Hearth does not say how it is")
            .remedy("look at `hearth logs`, or start it again")
    })?;
    // A chain or a server that hangs holds nothing up: what is known of it is said above.
    let (summary, models, balances) = tokio::join!(
        soon(client.get("/earning/summary")),
        soon(client.get("/models")),
        soon(client.get("/wallet/balances")),
    );
    let (summary, models): (Option<EarningSummary>, Option<ModelList>) = (summary?, models?);
    // Without a wallet there are no balances.
    let balances: Option<Balances> = balances.ok().flatten().filter(|_| status.wallet.exists);
    if out.json {
        out.value(&Shown {
            status: &status,
            summary: summary.as_ref(),
            balances: balances.as_ref(),
        });
        return Ok(());
    }
    head(out, &status);
    facts(out, &status, models.as_ref().map(|list| list.models.as_slice()));
    match &summary {
        Some(summary) => money(out, summary, balances.as_ref()),
        None => out.line(
            &dim("  What was earned cannot be told now: something that is asked for it hangs.").to_string(),
        ),
    }
    out.line("");
    out.line(&format!("  {}        {}", dim("UI"), client.base()));
    Ok(())
}

/// What is asked for, if it comes in time.
async fn soon<T>(asked: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<Option<T>> {
    within(WITHIN, asked).await
}

async fn within<T>(
    limit: Duration,
    asked: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<Option<T>> {
    tokio::time::timeout(limit, asked).await.ok().transpose()
}

fn head(out: &Out, status: &Status) {
    let up = hearth_base::Clock::system().now() - status.started_at.0;
    let up = span(u64::try_from(up.whole_milliseconds()).unwrap_or(0));
    let left = format!("{} on {}, up {up}", status.version, status.network.chain_id);
    out.line(&format!(
        "{} {left:<44} {}",
        bold("Hearth"),
        dim(&status.network.name)
    ));
    out.line("");
}

fn facts(out: &Out, status: &Status, models: Option<&[Model]>) {
    let earning = &status.earning;
    let glyph = match earning.state {
        EarningState::Serving | EarningState::Idle => Glyph::Ember,
        EarningState::Off | EarningState::Starting | EarningState::Yielding | EarningState::Draining => {
            Glyph::Hollow
        }
    };
    out.fact(
        glyph,
        "Earning",
        &super::earn::words(earning),
        &super::earn::aside(earning),
    );
    for note in &earning.notes {
        let fact = note.fact.as_deref().unwrap_or_default();
        let fact = fit(fact, 74_usize.saturating_sub(note.code.len()));
        out.line(&format!("    {} {}", yellow(&note.code), dim(&fact)));
    }
    match &status.head {
        None if status.chain_problem.is_some() => out.fact(Glyph::Hollow, "Chain", "not followed", ""),
        None => out.fact(Glyph::Hollow, "Chain", "no endpoint answers", ""),
        Some(head) => {
            let proven = head
                .verified_height
                .map_or("nothing proven yet".to_owned(), |height| {
                    format!("proven at {}", grouped(height.into()))
                });
            let is_well = status.chain_problem.is_none() && head.standing.trust != Trust::Stale;
            let age = head.standing.age_s.map_or_else(String::new, |seconds| {
                format!("{} ago", span(seconds.saturating_mul(1000)))
            });
            out.fact(
                if is_well { Glyph::Ok } else { Glyph::Hollow },
                "Chain",
                &format!("{}, {proven}", grouped(head.height.into())),
                if is_well { "" } else { &age },
            );
        }
    }
    if let Some(problem) = &status.chain_problem {
        let fact = fit(
            problem.fact.as_deref().unwrap_or_default(),
            74_usize.saturating_sub(problem.code.len()),
        );
        out.line(&format!("    {} {}", yellow(&problem.code), dim(&fact)));
    }
    let counts = models.map(|models| {
        let local = models.iter().filter(|model| model.kind == ModelKind::Local);
        let n_local = local.count();
        (n_local, models.len() - n_local)
    });
    let loaded = if status.loaded_models.is_empty() {
        "none loaded".to_owned()
    } else {
        format!("loaded: {}", status.loaded_models.join(", "))
    };
    let is_well = counts.is_some_and(|(n_local, _)| n_local > 0);
    let glyph = if is_well { Glyph::Ok } else { Glyph::Hollow };
    let known = counts.map_or_else(
        || "not known now: a server that has some hangs".to_owned(),
        |(n_local, n_network)| places(n_local, n_network, status),
    );
    out.fact(glyph, "Models", &known, &loaded);
    let wallet = &status.wallet;
    let (glyph, words) = match (wallet.exists, wallet.main_locked, wallet.working_locked) {
        (false, _, _) => (Glyph::Hollow, "none yet"),
        (true, true, true) => (Glyph::Hollow, "locked"),
        (true, true, false) => (Glyph::Hollow, "locked, working key signs"),
        (true, false, _) => (Glyph::Ok, "open"),
    };
    let aside = match (wallet.exists, wallet.has_words, wallet.words_checked) {
        (false, _, _) => "",
        (true, false, _) => "no recovery words",
        (true, true, true) => "words checked",
        (true, true, false) => "words not checked",
    };
    out.fact(glyph, "Wallet", words, aside);
}

/// How many models are where. As `/ready` has it: without the chain those of this computer answer alone.
fn places(n_local: usize, n_network: usize, status: &Status) -> String {
    if status.chain_problem.as_ref().is_some_and(Reason::is_chain_away) {
        return format!("{n_local} here, the network's wait for the chain");
    }
    format!("{n_local} here, {n_network} on the network")
}

fn money(out: &Out, summary: &EarningSummary, balances: Option<&Balances>) {
    out.line("");
    out.line(&format!("  {}", dim(&format!("{:<16} {:>15}", "MONEY", "POKT"))));
    for sum in &summary.pipeline {
        let amount = sum
            .amount
            .map_or_else(|| "not known".to_owned(), |amount| pokt(amount.0));
        let (label, figure) = match sum.stage {
            MoneyStage::Estimate => ("estimate", format!("≈ {amount}")),
            MoneyStage::Pending => ("pending", amount),
            MoneyStage::Claimed => ("claimed", amount),
            MoneyStage::Proven => ("proven", amount),
            MoneyStage::Settled => ("settled today", pokt(summary.settled_today.0)),
            MoneyStage::Spendable => continue,
            MoneyStage::Lost if sum.amount.is_none_or(|amount| amount.0.is_zero()) => continue,
            MoneyStage::Lost => ("lost", amount),
        };
        let aside = match sum.stage {
            MoneyStage::Settled => format!("{} answers today", summary.answers_today),
            MoneyStage::Estimate
            | MoneyStage::Pending
            | MoneyStage::Claimed
            | MoneyStage::Proven
            | MoneyStage::Spendable
            | MoneyStage::Lost => match sum.sessions {
                0 => String::new(),
                1 => "1 session".to_owned(),
                n => format!("{n} sessions"),
            },
        };
        let line = format!("{label:<16} {figure:>15}");
        let line = if sum.stage == MoneyStage::Estimate {
            dim(&line).to_string()
        } else {
            line
        };
        out.line(&format!("  {line}   {}", dim(&aside)));
    }
    for other in summary.suppliers.iter().filter(|one| !one.is_own) {
        let label = format!("earned for {}", short(&other.owner));
        let open = if other.open.0.is_zero() {
            String::new()
        } else {
            format!(", ≈ {} open", pokt(other.open.0))
        };
        let figure = format!("{label:<27} {:>15}", pokt(other.settled.0));
        out.line(&format!("  {}", dim(&format!("{figure}   not yours{open}"))));
    }
    let Some(balances) = balances else { return };
    let standing = match balances.standing.trust {
        Trust::Proven => {
            green(&format!("proven at {}", grouped(balances.standing.height.into()))).to_string()
        }
        Trust::Unverified => dim("not verified yet").to_string(),
        Trust::Stale => {
            yellow(&format!("stale, of {}", grouped(balances.standing.height.into()))).to_string()
        }
    };
    let figure = format!("{:<16} {:>15}", "spendable", pokt(balances.spendable.0));
    out.line(&format!("  {}   {standing}", bold(&figure)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_is_not_waited_for() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        runtime.unwrap().block_on(async {
            let hangs = std::future::pending::<anyhow::Result<()>>();
            assert!(within(Duration::ZERO, hangs).await.unwrap().is_none());
            assert_eq!(soon(async { Ok(3) }).await.unwrap(), Some(3));
            let fails = async { anyhow::Result::<()>::Err(anyhow::anyhow!("refused")) };
            assert!(soon(fails).await.is_err());
        });
    }
}
