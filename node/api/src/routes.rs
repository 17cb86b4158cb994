//! All routes. Handlers extract, call, and answer; what they call lies in the parts.

mod access;
mod conversations;
mod earning;
mod export;
mod extract;
mod guard;
mod health;
mod models;
mod openai;
mod payments;
mod receipts;
mod settings;
mod status;
mod wallet;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{MethodFilter, MethodRouter, any, get, on, post},
};

use crate::{
    app::App,
    control,
    control::{operation::Operation, spec::Method},
    error::ApiError,
    ui,
};

/// The whole surface behind its guard. `ipfs` serves `/ipfs/{cid}`.
pub(crate) fn router(app: &App, ipfs: Router) -> Router {
    let control = Operation::ALL.iter().fold(Router::new(), |router, operation| {
        router.route(operation.spec().path, method_router(*operation))
    });
    let openai = Router::new()
        .route("/models", get(openai::list_models))
        .route("/models/{*id}", get(openai::get_model))
        .route("/chat/completions", post(openai::chat_completions))
        .route("/completions", post(openai::completions))
        .route("/embeddings", post(openai::embeddings))
        .fallback(openai::unknown)
        .method_not_allowed_fallback(openai::wrong_method);
    let control = control
        .fallback(|| std::future::ready(ApiError::not_found("call in the control API")))
        .method_not_allowed_fallback(extract::wrong_method);
    Router::new()
        .nest(control::openapi::PREFIX, control)
        .nest("/v1", openai)
        .route(
            "/api",
            any(|| std::future::ready(ApiError::not_found("call in the control API"))),
        )
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .with_state(app.clone())
        .merge(ipfs)
        .fallback(ui::serve)
        // The listener has its own.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(app.clone(), extract::until_cut))
        .layer(middleware::from_fn_with_state(app.clone(), guard::guard))
        .layer(middleware::map_response(ui::add_security_headers))
}

fn method_router(operation: Operation) -> MethodRouter<App> {
    let filter = match operation.spec().method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Patch => MethodFilter::PATCH,
        Method::Delete => MethodFilter::DELETE,
    };
    match operation {
        Operation::SignIn => on(filter, access::sign_in),
        Operation::SignOut => on(filter, access::sign_out),
        Operation::LoginState => on(filter, access::login_state),
        Operation::SetLogin => on(filter, access::set_login),
        Operation::ResetLogin => on(filter, access::reset_login),
        Operation::Status => on(filter, status::status),
        Operation::Doctor => on(filter, status::doctor),
        Operation::Events => on(filter, status::events),
        Operation::RunSetup => on(filter, status::run_setup),
        Operation::ListConversations => on(filter, conversations::list),
        Operation::CreateConversation => on(filter, conversations::create),
        Operation::GetConversation => on(filter, conversations::get),
        Operation::ChangeConversation => on(filter, conversations::change),
        Operation::DeleteConversation => on(filter, conversations::delete),
        Operation::Answer => on(filter, conversations::answer),
        Operation::StopAnswer => on(filter, conversations::stop),
        Operation::ListModels => on(filter, models::list),
        Operation::AddModel => on(filter, models::add),
        Operation::PullModel => on(filter, models::pull),
        Operation::VerifyModel => on(filter, models::verify),
        Operation::DeleteModel => on(filter, models::delete),
        Operation::LoadModel => on(filter, models::load),
        Operation::UnloadModel => on(filter, models::unload),
        Operation::ListDownloads => on(filter, models::downloads),
        Operation::PauseDownload => on(filter, models::pause),
        Operation::ResumeDownload => on(filter, models::resume),
        Operation::CancelDownload => on(filter, models::cancel),
        Operation::Catalogue => on(filter, models::catalogue),
        Operation::GetEarning => on(filter, earning::page),
        Operation::StartEarning => on(filter, earning::start),
        Operation::StopEarning => on(filter, earning::stop),
        Operation::EarningSummary => on(filter, earning::summary),
        Operation::ListEarnedSessions => on(filter, earning::sessions),
        Operation::ExportSessions => on(filter, export::sessions),
        Operation::ListEarnedRelays => on(filter, earning::relays),
        Operation::GetWallet => on(filter, wallet::page),
        Operation::CreateWallet => on(filter, wallet::create),
        Operation::ImportWallet => on(filter, wallet::import),
        Operation::UnlockWallet => on(filter, wallet::unlock),
        Operation::LockWallet => on(filter, wallet::lock),
        Operation::RevealWords => on(filter, wallet::words),
        Operation::CheckWords => on(filter, wallet::check),
        Operation::Balances => on(filter, wallet::balances),
        Operation::History => on(filter, wallet::history),
        Operation::ExportHistory => on(filter, export::history),
        Operation::ReviewSend => on(filter, payments::review),
        Operation::Send => on(filter, payments::send),
        Operation::Faucet => on(filter, payments::faucet),
        Operation::ListReceipts => on(filter, receipts::list),
        Operation::GetReceipt => on(filter, receipts::get),
        Operation::Network => on(filter, status::network),
        Operation::PreferAnchor => on(filter, status::prefer_anchor),
        Operation::GetSettings => on(filter, settings::get),
        Operation::ChangeSettings => on(filter, settings::change),
        Operation::ListKeys => on(filter, access::list_keys),
        Operation::CreateKey => on(filter, access::create_key),
        Operation::DeleteKey => on(filter, access::delete_key),
        Operation::Licences => on(filter, status::licences),
        Operation::OpenApi => on(filter, status::openapi),
    }
}
