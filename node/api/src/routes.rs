//! All routes. Handlers extract, call, and answer; what they call lies in the parts.

mod access;
mod accounts;
mod anthropic;
mod asking;
mod backup;
mod chat_files;
mod config;
mod connect;
mod contacts;
mod conversations;
mod cors;
mod earning;
mod export;
mod extract;
mod first_run;
mod guard;
mod health;
mod models;
mod network;
mod ollama;
mod openai;
mod path;
mod payees;
mod payments;
mod presets;
mod receipts;
mod responses;
mod roles;
mod settings;
mod signing;
mod status;
mod usage;
mod wallet;

use axum::{
    Router,
    extract::{DefaultBodyLimit, OriginalUri},
    http::{HeaderMap, Method, Uri},
    middleware,
    response::Response,
    routing::{MethodFilter, MethodRouter, any, get, on, post},
};

pub(crate) use asking::name_refusal;
pub(crate) use chat_files::body_rule;
pub(crate) use path::{make_plain, wants_page};

use crate::{
    app::App,
    control,
    control::{operation::Operation, spec},
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
        .route("/chat/completions", post(openai::ask))
        .route("/completions", post(openai::ask))
        .route("/embeddings", post(openai::ask))
        .route("/rerank", post(openai::ask))
        .route("/tokenize", post(openai::ask))
        .route("/detokenize", post(openai::ask))
        .route("/responses", post(responses::create))
        .route("/responses/input_tokens", post(responses::count))
        .route("/responses/{id}", get(responses::get).delete(responses::delete))
        .route("/responses/{id}/input_items", get(responses::input_items))
        .route("/responses/{id}/cancel", post(responses::cancel))
        .route("/signatures", post(signing::ask))
        .route("/signatures/{id}", get(signing::get).delete(signing::withdraw))
        .route("/messages", post(anthropic::create).fallback(anthropic::unknown))
        .route(
            "/messages/count_tokens",
            post(anthropic::count_tokens).fallback(anthropic::unknown),
        )
        .route("/messages/{*rest}", any(anthropic::unknown))
        .fallback(openai::unknown)
        .method_not_allowed_fallback(openai::wrong_method);
    let control = control
        .fallback(unknown_call)
        .method_not_allowed_fallback(extract::wrong_method);
    Router::new()
        .nest(control::openapi::PREFIX, control)
        .nest("/v1", openai)
        .merge(ollama::routes())
        .route("/api", any(unknown_call))
        .route("/api/{*rest}", any(unknown_call))
        // Other servers have these two at their root.
        .route("/tokenize", post(openai::ask))
        .route("/detokenize", post(openai::ask))
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .with_state(app.clone())
        .merge(ipfs)
        .fallback(page)
        // The listener has its own.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(app.clone(), extract::until_cut))
        .layer(middleware::from_fn_with_state(app.clone(), guard::guard))
        .layer(middleware::from_fn(asking::named))
        .layer(middleware::map_response(ui::add_security_headers))
}

/// The page, its files, and what nobody knows. A program that calls a route which is not there must not take the page
/// for its answer.
async fn page(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let is_read = method == Method::GET || method == Method::HEAD;
    if ui::is_page(uri.path()) || (is_read && (wants_page(&headers) || ui::has_file(uri.path()))) {
        ui::serve(method, uri, headers).await
    } else {
        openai::unknown(method, OriginalUri(uri)).await
    }
}

async fn unknown_call() -> ApiError {
    std::future::ready(ApiError::not_found("call in the control API")).await
}

#[allow(clippy::too_many_lines, reason = "a table: one line per operation")]
fn method_router(operation: Operation) -> MethodRouter<App> {
    let filter = match operation.spec().method {
        spec::Method::Get => MethodFilter::GET,
        spec::Method::Post => MethodFilter::POST,
        spec::Method::Put => MethodFilter::PUT,
        spec::Method::Patch => MethodFilter::PATCH,
        spec::Method::Delete => MethodFilter::DELETE,
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
        Operation::ImportConversations => on(filter, chat_files::import),
        Operation::ExportConversations => on(filter, chat_files::export_all),
        Operation::ExportConversation => on(filter, chat_files::export),
        Operation::ContextUse => on(filter, conversations::context),
        Operation::FollowAnswer => on(filter, conversations::follow),
        Operation::RenameFolder => on(filter, conversations::rename_folder),
        Operation::AddAttachment => on(filter, chat_files::add),
        Operation::AttachmentText => on(filter, chat_files::text),
        Operation::DeleteAttachment => on(filter, chat_files::delete),
        Operation::ListPresets => on(filter, presets::list),
        Operation::CreatePreset => on(filter, presets::create),
        Operation::ChangePreset => on(filter, presets::change),
        Operation::DeletePreset => on(filter, presets::delete),
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
        Operation::AcknowledgeRecord => on(filter, earning::acknowledge),
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
        Operation::ListAccounts => on(filter, accounts::list),
        Operation::AddAccount => on(filter, accounts::add),
        Operation::WatchAddress => on(filter, accounts::watch),
        Operation::ChangeAccount => on(filter, accounts::change),
        Operation::RemoveAccount => on(filter, accounts::remove),
        Operation::ExportAccount => on(filter, accounts::export),
        Operation::ChangePassword => on(filter, accounts::change_password),
        Operation::SealOperator => on(filter, accounts::seal_operator),
        Operation::Discover => on(filter, accounts::discover),
        Operation::Balances => on(filter, wallet::balances),
        Operation::History => on(filter, wallet::history),
        Operation::ExportHistory => on(filter, export::history),
        Operation::ListTransactions => on(filter, wallet::transactions),
        Operation::ReviewSend => on(filter, payments::review),
        Operation::Send => on(filter, payments::send),
        Operation::Faucet => on(filter, payments::faucet),
        Operation::ListReceipts => on(filter, receipts::list),
        Operation::GetReceipt => on(filter, receipts::get),
        Operation::ExportReceipts => on(filter, export::receipts),
        Operation::GetMorseAccount => on(filter, roles::morse_account),
        Operation::OpenMorseKey => on(filter, roles::open_morse_key),
        Operation::SignMorseClaim => on(filter, roles::sign_morse_claim),
        Operation::GetRoles => on(filter, roles::page),
        Operation::ListServices => on(filter, roles::services),
        Operation::GetService => on(filter, roles::service),
        Operation::ReviewRole => on(filter, roles::review),
        Operation::SendRole => on(filter, roles::send),
        Operation::ListSignatures => on(filter, signing::list),
        Operation::ApproveSignature => on(filter, signing::approve),
        Operation::RefuseSignature => on(filter, signing::refuse),
        Operation::ReviewTx => on(filter, signing::review_tx),
        Operation::SignTx => on(filter, signing::sign_tx),
        Operation::MakeBackup => on(filter, backup::make),
        Operation::TestBackup => on(filter, backup::test),
        Operation::QrCode => on(filter, contacts::qr),
        Operation::ListContacts => on(filter, contacts::list),
        Operation::SaveContact => on(filter, contacts::save),
        Operation::ImportContacts => on(filter, contacts::import),
        Operation::DeleteContact => on(filter, contacts::delete),
        Operation::LabelMovement => on(filter, contacts::label),
        Operation::GetFirstRun => on(filter, first_run::page),
        Operation::ChangeFirstRun => on(filter, first_run::change),
        Operation::GetConfig => on(filter, config::page),
        Operation::ChangeConfig => on(filter, config::change),
        Operation::Restart => on(filter, config::restart),
        Operation::Network => on(filter, network::page),
        Operation::PreferAnchor => on(filter, network::prefer_anchor),
        Operation::GiveAnchor => on(filter, network::give_anchor),
        Operation::ForgetAnchor => on(filter, network::forget_anchor),
        Operation::AddEndpoint => on(filter, network::add_endpoint),
        Operation::RemoveEndpoint => on(filter, network::remove_endpoint),
        Operation::TryEndpoints => on(filter, network::try_endpoints),
        Operation::FalseAnswers => on(filter, network::false_answers),
        Operation::BroadcastTx => on(filter, roles::broadcast),
        Operation::TryBroadcast => on(filter, roles::try_broadcast),
        Operation::GetSettings => on(filter, settings::get),
        Operation::ChangeSettings => on(filter, settings::change),
        Operation::ListKeys => on(filter, access::list_keys),
        Operation::CreateKey => on(filter, access::create_key),
        Operation::ChangeKey => on(filter, access::change_key),
        Operation::DeleteKey => on(filter, access::delete_key),
        Operation::ListPrograms => on(filter, connect::list),
        Operation::PreviewProgram => on(filter, connect::preview),
        Operation::ConnectProgram => on(filter, connect::write),
        Operation::DisconnectProgram => on(filter, connect::undo),
        Operation::GetUsage => on(filter, usage::report),
        Operation::ExportUsage => on(filter, export::usage),
        Operation::Licences => on(filter, status::licences),
        Operation::OpenApi => on(filter, status::openapi),
    }
}
