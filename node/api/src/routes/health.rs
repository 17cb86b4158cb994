//! `/health`, `/ready`, `/metrics`.

use axum::{
    Extension, Json,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use metrics::gauge;
use metrics_exporter_prometheus::PrometheusBuilder;

use std::sync::atomic::Ordering;

use super::status::now;
use crate::{
    app::App,
    auth::{MAX_CHALLENGE_CHARS, proof},
    control::types::{EarningState, Health, Reason, Scope, Setup, SetupState, Trust},
    error::ApiError,
    metering::Asker,
};

/// The process answers. Asked with a challenge it proves that it is the node of its data directory, so that a program
/// of this computer need not show the token to whoever has the port.
pub(crate) async fn health(State(app): State<App>, Query(asked): Query<Challenge>) -> Json<HealthAnswer> {
    let challenge = asked.challenge.filter(|text| text.len() <= MAX_CHALLENGE_CHARS);
    std::future::ready(Json(HealthAnswer {
        health: Health {
            status: "ok".to_owned(),
            reasons: Vec::new(),
        },
        proof: challenge.map(|challenge| proof(app.token.reveal(), &challenge, app.addr.port())),
    }))
    .await
}

#[derive(serde::Deserialize)]
pub(crate) struct Challenge {
    challenge: Option<String>,
}

#[derive(serde::Serialize)]
pub(crate) struct HealthAnswer {
    #[serde(flatten)]
    health: Health,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<String>,
}

/// It can do its work: the chain is there, and a set-up that was begun is done and what it set up answers. One that
/// nobody asked for is not waited for: chat with models of this computer, the wallet and the chain work without it.
///
/// Where the chain is away, models of this computer answer all the same: it is ready for those alone, and says so.
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let setup = app.host.setup().borrow().clone();
    let away = chain_away(&app);
    let mut reasons: Vec<String> = away.clone().into_iter().collect();
    if away.is_none() && app.parts.network.head().is_none() {
        reasons.push("no endpoint of the chain has answered yet".to_owned());
    }
    let is_half_set_up = !setup.done && is_begun(&setup);
    if is_half_set_up {
        let step = setup
            .steps
            .iter()
            .find(|step| !matches!(step.state, SetupState::Done));
        reasons.push(step.map_or_else(
            || "the set-up is not done".to_owned(),
            |step| format!("set-up: {}", step.title),
        ));
    }
    if reasons.is_empty() && setup.done && !setup.steps.is_empty() {
        reasons.extend(network_not_there(&app).await);
    }
    if reasons.is_empty() {
        let status = "ok".to_owned();
        return Json(Health { status, reasons }).into_response();
    }
    if away.is_some() && !is_half_set_up && answers_here(&app).await {
        reasons.push("models of the network, money and earning wait for the chain".to_owned());
        let status = "local".to_owned();
        return Json(Health { status, reasons }).into_response();
    }
    let status = "not ready".to_owned();
    let retry = [(header::RETRY_AFTER, "1")];
    (
        StatusCode::SERVICE_UNAVAILABLE,
        retry,
        Json(Health { status, reasons }),
    )
        .into_response()
}

/// Why the chain cannot be worked with, where that is known.
fn chain_away(app: &App) -> Option<String> {
    let problem = app.parts.network.problem().filter(Reason::is_chain_away)?;
    let fact = problem.fact.unwrap_or(problem.meaning);
    Some(format!("{}: {fact}", problem.code))
}

/// Whether a model of this computer, or of a server of the owner's, can be asked.
async fn answers_here(app: &App) -> bool {
    let mut named = app.router.named().values();
    if named.any(|named| named.backend.health().ailment().is_none()) {
        return true;
    }
    let models = app.parts.model_store.list().await.unwrap_or_default();
    models.iter().any(|model| model.unavailable.is_none())
}

/// What was set up counts from the next session on: until then its model is in no list, and nobody is told that it is
/// ready. Once it was there, what becomes of it later is no matter of being ready.
async fn network_not_there(app: &App) -> Option<String> {
    if app.network_answers.load(Ordering::Relaxed) {
        return None;
    }
    let models = match app.parts.relay.models().await {
        Ok(models) => models,
        Err(error) => {
            return Some(format!(
                "the models of the network are not known yet: {}",
                error.message
            ));
        }
    };
    let is_there = models.is_empty() || models.iter().any(|model| model.unavailable.is_none());
    if is_there {
        app.network_answers.store(true, Ordering::Relaxed);
        return None;
    }
    let waiting = models
        .into_iter()
        .find_map(|model| Some((model.id, model.unavailable?)));
    waiting.map(|(id, why)| format!("{id}: {}", why.meaning))
}

fn is_begun(setup: &Setup) -> bool {
    setup.running
        || setup
            .steps
            .iter()
            .any(|step| !matches!(step.state, SetupState::Waiting))
}

/// Figures in Prometheus' text form, made when they are asked for.
pub(crate) async fn metrics(
    State(app): State<App>,
    Extension(asker): Extension<Asker>,
) -> Result<Response, ApiError> {
    // They tell of this computer and its money, as no key that was made for something else alone does.
    if let Some(key) = asker.key() {
        key.opens_as(Scope::Local, "the figures of this node")?;
    }
    let status = now(&app).await;
    let page = app.parts.earn.page().await.ok();
    let summary = app.parts.earn.summary().await.ok();
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        gauge!("hearth_info", "version" => status.version.clone(), "chain_id" => status.network.chain_id.clone()).set(1.0);
        if let Some(head) = &status.head {
            gauge!("hearth_chain_height").set(number(head.height));
            gauge!("hearth_chain_verified_height").set(number(head.verified_height.unwrap_or(0)));
            gauge!("hearth_chain_proven").set(if head.standing.trust == Trust::Proven {
                1.0
            } else {
                0.0
            });
        }
        for (state, name) in STATES {
            gauge!("hearth_earning_state", "state" => name).set(if status.earning.state == state {
                1.0
            } else {
                0.0
            });
        }
        gauge!("hearth_serving").set(f64::from(status.earning.serving));
        gauge!("hearth_running_answers").set(f64::from(status.running_answers));
        gauge!("hearth_models_loaded").set(number(status.loaded_models.len() as u64));
        gauge!("hearth_conversations_answering").set(number(app.running.count() as u64));
        if let Some(page) = &page {
            gauge!("hearth_relays_answered").set(number(page.answered));
            gauge!("hearth_relays_refused").set(number(page.refused));
            gauge!("hearth_relays_unpaid_late").set(number(page.unpaid_late));
        }
        if let Some(summary) = &summary {
            gauge!("hearth_settled_upokt").set(number(
                u64::try_from(summary.settled_total.0.upokt()).unwrap_or(u64::MAX),
            ));
            gauge!("hearth_sessions_settled").set(number(summary.sessions_settled));
        }
    });
    Ok((
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        recorder.handle().render(),
    )
        .into_response())
}

const STATES: [(EarningState, &str); 6] = [
    (EarningState::Off, "off"),
    (EarningState::Starting, "starting"),
    (EarningState::Idle, "idle"),
    (EarningState::Serving, "serving"),
    (EarningState::Yielding, "yielding"),
    (EarningState::Draining, "draining"),
];

/// Prometheus has no integers; above 2^53 the last digits are lost, which a gauge may.
#[allow(clippy::cast_precision_loss, reason = "said above")]
const fn number(value: u64) -> f64 {
    value as f64
}
