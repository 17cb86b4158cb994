//! Signatures: asked for by programs under `/v1/signatures`, decided by the owner.

use axum::{
    Extension, Json,
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use hearth_pocket::message::Any;
use hearth_roles::{Note, Stranger};
use tokio::sync::oneshot;

use super::{
    extract::{Input, body},
    payees::KnownPayees,
    payments::{locked, opened},
};
use crate::{
    app::App,
    control::types::{
        AccountKind, ApproveSignature, Changed, Event, NewSignature, RequestedSignature, RoleNote, Scope,
        SignTx, SignatureContent, SignatureRequestList, SignedTx, TransactionContent, TxFile, TxToSign,
        WatchAddress,
    },
    error::ApiError,
    metering::Asker,
    parts::{SigningAccount, adapters::file_refused},
    signing::{self, AskedBy},
};

/// A program asks. It needs a key for it, so that the owner sees which one it is.
pub(crate) async fn ask(
    State(app): State<App>,
    Extension(asker): Extension<Asker>,
    request: Request,
) -> Response {
    let asked = async {
        let by = asked_by(&asker)?;
        let bytes = body(request).await?;
        let wanted: NewSignature = serde_json::from_slice(&bytes)
            .map_err(|error| ApiError::bad_request(format!("the body cannot be read: {error}")))?;
        let account = app.parts.keyring.signing_account(wanted.address.as_deref())?;
        let messages = signing::messages(&wanted);
        let before = app.parts.roles.before(&messages).await;
        let mut wanted = signing::read(
            &wanted,
            &account.address,
            &account.public_key,
            &app.config.network.chain_id,
            &own_addresses(&app),
            &before,
        )?;
        if let SignatureContent::Transaction(shown) = &mut wanted.content {
            let sequence = (!shown.unordered).then_some(shown.sequence);
            let given = (shown.account_number, sequence);
            let notes = app.parts.roles.numbers(&account.address, given).await;
            shown.notes.extend(notes.iter().map(RoleNote::from));
            shown.notes.extend(of_payees(&app, &messages).await?);
        }
        let asked = app.signatures.ask(by, account.address.to_string(), wanted)?;
        app.tell(Event::Signatures(Changed { height: None }));
        Ok::<_, ApiError>(asked)
    };
    match asked.await {
        Ok(asked) => (StatusCode::ACCEPTED, Json(asked)).into_response(),
        Err(error) => error.into_openai_response(),
    }
}

/// What became of it.
pub(crate) async fn get(
    State(app): State<App>,
    Extension(asker): Extension<Asker>,
    Path(id): Path<String>,
) -> Response {
    let told = asked_by(&asker).and_then(|by| app.signatures.told(&by, &id));
    std::future::ready(shown(told)).await
}

/// It is wanted no more.
pub(crate) async fn withdraw(
    State(app): State<App>,
    Extension(asker): Extension<Asker>,
    Path(id): Path<String>,
) -> Response {
    let gone = asked_by(&asker).and_then(|by| app.signatures.withdraw(&by, &id));
    app.tell(Event::Signatures(Changed { height: None }));
    std::future::ready(match gone {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => error.into_openai_response(),
    })
    .await
}

fn shown(told: Result<RequestedSignature, ApiError>) -> Response {
    match told {
        Ok(told) => Json(told).into_response(),
        Err(error) => error.into_openai_response(),
    }
}

fn asked_by(asker: &Asker) -> Result<AskedBy, ApiError> {
    match asker {
        Asker::Key(grant) => {
            grant.opens(Scope::Signatures)?;
            Ok(AskedBy {
                id: grant.id.clone(),
                name: grant.name.clone(),
            })
        }
        Asker::Owner | Asker::Local => Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "key_needed",
            "a signature is asked for with an API key, so that the owner sees who asks",
        )
        .remedy("Make a key with the scope signatures under Settings, API and keys.")),
    }
}

pub(crate) async fn list(State(app): State<App>) -> Json<SignatureRequestList> {
    let needs_password = app.parts.keyring.status().main_locked;
    std::future::ready(Json(SignatureRequestList {
        requests: app.signatures.waiting(needs_password),
    }))
    .await
}

pub(crate) async fn approve(
    State(app): State<App>,
    Path(id): Path<String>,
    Input(order): Input<ApproveSignature>,
) -> Result<StatusCode, ApiError> {
    // Before the password is tried: where nothing waits, nothing is opened.
    let (address, _) = app.signatures.to_sign(&id)?;
    if order.password.is_none() && app.parts.keyring.status().main_locked {
        return Err(locked(&address));
    }
    let (tell, told) = oneshot::channel();
    let owner = app.clone();
    // A task of its own: a caller that hangs up must not leave the key open.
    app.tasks.spawn("signature", async move {
        let _ = tell.send(sign(&owner, &id, order).await);
    });
    told.await.map_err(|error| ApiError::internal(&error))??;
    Ok(StatusCode::NO_CONTENT)
}

async fn sign(app: &App, id: &str, order: ApproveSignature) -> Result<(), ApiError> {
    let _turn = app.paying.lock().await;
    let _opened = opened(app, order.password).await?;
    let (address, bytes) = app.signatures.to_sign(id)?;
    let signed = app.parts.keyring.sign(&address, &bytes)?;
    app.signatures.decide(id, Some(signed))?;
    app.tell(Event::Signatures(Changed { height: None }));
    Ok(())
}

pub(crate) async fn refuse(State(app): State<App>, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    app.signatures.decide(&id, None)?;
    app.tell(Event::Signatures(Changed { height: None }));
    std::future::ready(Ok(StatusCode::NO_CONTENT)).await
}

/// What a transaction of another node or program would have an account here sign.
pub(crate) async fn review_tx(
    State(app): State<App>,
    Input(file): Input<TxFile>,
) -> Result<Json<TxToSign>, ApiError> {
    let (account, waits, content) = to_sign(&app, &file).await?;
    Ok(Json(TxToSign {
        account: account.address.to_string(),
        account_number: waits.account_number,
        sequence: waits.sequence,
        content,
        needs_password: app.parts.keyring.status().main_locked,
    }))
}

/// The signature covers the very file that came with the order, so what was looked at is what is signed.
pub(crate) async fn sign_tx(
    State(app): State<App>,
    Input(order): Input<SignTx>,
) -> Result<Json<SignedTx>, ApiError> {
    // What cannot be shown whole is not signed either.
    let (account, waits, _) = to_sign(&app, &order.file).await?;
    let address = account.address.to_string();
    if order.password.is_none() && app.parts.keyring.status().main_locked {
        return Err(locked(&address));
    }
    let (tell, told) = oneshot::channel();
    let owner = app.clone();
    // A task of its own: a caller that hangs up must not leave the key open.
    app.tasks.spawn("signature of a file", async move {
        let signed = async {
            let _turn = owner.paying.lock().await;
            let _opened = opened(&owner, order.password).await?;
            owner.parts.keyring.sign(&address, &waits.sign_doc)
        };
        let _ = tell.send(signed.await.map(|signed| waits.signed(signed.signature)));
    });
    let file = told.await.map_err(|error| ApiError::internal(&error))??;
    let tx = file.map_err(|error| ApiError::internal(&error))?;
    watch_operators(&app, &tx).await;
    Ok(Json(SignedTx { tx }))
}

/// What is staked for an operator elsewhere stays the owner's money: it is found again where its operator is watched.
async fn watch_operators(app: &App, tx: &serde_json::Value) {
    let messages = tx.pointer("/body/messages").and_then(serde_json::Value::as_array);
    let stakes = messages
        .into_iter()
        .flatten()
        .filter(|one| one["@type"] == "/pocket.supplier.MsgStakeSupplier");
    for operator in stakes.filter_map(|one| one["operator_address"].as_str()) {
        let watched = WatchAddress {
            address: operator.to_owned(),
            label: Some(format!(
                "operator {}",
                operator
                    .get(operator.len().saturating_sub(6)..)
                    .unwrap_or_default()
            )),
            purposes: Vec::new(),
        };
        // One that is in the wallet already needs nothing.
        if let Err(error) = app.parts.keyring.watch(watched).await {
            tracing::debug!(%error, "an operator is not watched");
        }
    }
}

/// Tells the addresses whose keys are in the wallet.
fn own_addresses(app: &App) -> impl Fn(&str) -> bool + use<> {
    let accounts = app.parts.keyring.page().accounts;
    move |address| {
        let mut own = accounts.iter().filter(|one| one.kind != AccountKind::Watch);
        own.any(|one| one.address == address)
    }
}

/// What may be wrong with those whom messages pay, as the review of a payment says it.
async fn of_payees(app: &App, messages: &[Any]) -> Result<Vec<RoleNote>, ApiError> {
    let (mut notes, mut addresses) = (Vec::new(), Vec::new());
    let known = KnownPayees::read(app).await?;
    for address in signing::payees(messages) {
        let payee = known.payee(&address);
        if let Some(alike) = payee.looks_like {
            notes.push(Stranger::LooksLike {
                address: address.clone(),
                other: alike.address,
                name: alike.name,
                differs: alike.differs,
            });
        }
        if payee.is_first && !payee.is_own {
            addresses.push(address);
        }
    }
    if !addresses.is_empty() {
        notes.push(Stranger::FirstPayment { addresses });
    }
    let notes = notes.into_iter().map(Note::Stranger);
    Ok(notes.map(|note| RoleNote::from(&note)).collect())
}

/// Whose signature a file wants, over which bytes, and all that they say.
async fn to_sign(
    app: &App,
    file: &TxFile,
) -> Result<(SigningAccount, hearth_roles::ToSign, TransactionContent), ApiError> {
    if file.account_number.is_some() != file.sequence.is_some() {
        return Err(ApiError::bad_request(
            "give the account number and the sequence, or neither",
        ));
    }
    let signer = hearth_roles::wanted_signer(&file.tx).map_err(|error| file_refused(&error))?;
    let account = app.parts.keyring.signing_account(Some(&signer))?;
    let waits = app.parts.roles.to_sign(file, &account).await?;
    let before = app.parts.roles.before(waits.messages()).await;
    let mut content = signing::of_sign_doc(
        &waits.sign_doc,
        &account.address,
        &account.public_key,
        &app.config.network.chain_id,
        &own_addresses(app),
        &before,
    )?;
    content.notes.extend(waits.notes.iter().map(RoleNote::from));
    content.notes.extend(of_payees(app, waits.messages()).await?);
    Ok((account, waits, content))
}
