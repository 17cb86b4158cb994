//! `hearth auth`: the login of other computers and API keys, on the host itself, with a daemon and without one.

mod limits;

use hearth_node::{
    ApiError, OfflineAccess,
    control::{ApiKey, ApiKeyList, ApiKeyPatch, CreatedApiKey, KeyLimits, NewApiKey, SetLogin},
};
pub(crate) use limits::{LimitFlags, daily_budget};

use super::{
    Client, Done, Exit, Fault, Out, Place,
    args::{Args, AuthCommand, KeysCommand},
    out::{dim, fit, pokt},
    secret::new_password,
};

pub(super) async fn run(command: &AuthCommand, args: &Args, out: &Out) -> Done {
    let place = Place::find(args).await?;
    // Asked before a data directory is made: who has nothing to say leaves none behind.
    let wanted = Wanted::of(command)?;
    match Client::connect(&place).await {
        Ok(client) => running(wanted, &client, out).await,
        // Who only looks or takes away makes no data directory where there is none.
        Err(exit) if exit.is("not_running") && !wanted.sets_up() && !place.layout.database().exists() => {
            Err(exit)
        }
        Err(exit) if exit.is("not_running") => {
            let offline = OfflineAccess::open(&place.network, &place.layout).await?;
            let done = without_daemon(wanted, &offline, out).await;
            offline.close().await;
            done
        }
        Err(exit) => Err(exit),
    }
}

/// What is wanted, with all that it needs.
enum Wanted {
    Password(String),
    Reset,
    /// The keys, those that were revoked included or not.
    List {
        all: bool,
    },
    Create(NewApiKey),
    Change {
        id: String,
        name: Option<String>,
        limits: LimitFlags,
    },
    Revoke(String),
}

impl Wanted {
    /// Whether it may be the first thing that is done here.
    fn sets_up(&self) -> bool {
        match self {
            Wanted::Password(_) | Wanted::Create(_) => true,
            Wanted::Reset | Wanted::List { .. } | Wanted::Change { .. } | Wanted::Revoke(_) => false,
        }
    }

    fn of(command: &AuthCommand) -> Result<Wanted, Exit> {
        Ok(match command {
            AuthCommand::Password(from) => Wanted::Password(new_password(
                from,
                "New password for other computers (10 characters or more): ",
            )?),
            AuthCommand::Reset => Wanted::Reset,
            AuthCommand::Keys { command } => match command {
                None => Wanted::List { all: false },
                Some(KeysCommand::List { all }) => Wanted::List { all: *all },
                Some(KeysCommand::Create { name, limits }) => Wanted::Create(NewApiKey {
                    name: name.clone(),
                    limits: limits.over(KeyLimits::default()),
                }),
                Some(KeysCommand::Change {
                    name: None, limits, ..
                }) if limits.is_empty() => {
                    let fault = Fault::wrong_use("nothing is to be changed");
                    return Err(fault
                        .remedy("`hearth auth keys change --help` lists what can be")
                        .into());
                }
                Some(KeysCommand::Change { id, name, limits }) => Wanted::Change {
                    id: id.clone(),
                    name: name.clone(),
                    limits: limits.clone(),
                },
                Some(KeysCommand::Revoke { id }) => Wanted::Revoke(id.clone()),
            },
        })
    }
}

async fn running(wanted: Wanted, client: &Client, out: &Out) -> Done {
    match wanted {
        Wanted::Password(password) => {
            client.put("/auth/login", &SetLogin { password }).await?;
            said(out, true);
        }
        Wanted::Reset => {
            client.delete("/auth/login").await?;
            said(out, false);
        }
        Wanted::List { all } => list(out, client.get("/keys").await?, all),
        Wanted::Create(new) => created(out, &client.post("/keys", &new).await?),
        Wanted::Change { id, name, limits } => {
            let keys: ApiKeyList = client.get("/keys").await?;
            let key = find(&keys, &id)?;
            let patch = patch(key, name, &limits);
            changed(out, client.patch(&format!("/keys/{}", key.id), &patch).await?);
        }
        Wanted::Revoke(id) => {
            let keys: ApiKeyList = client.get("/keys").await?;
            client.delete(&format!("/keys/{}", find(&keys, &id)?.id)).await?;
            list(out, client.get("/keys").await?, false);
        }
    }
    Ok(())
}

async fn without_daemon(wanted: Wanted, offline: &OfflineAccess, out: &Out) -> Done {
    let access = offline.access();
    match wanted {
        Wanted::Password(password) => {
            access.set_password(password).await.map_err(refused)?;
            said(out, true);
        }
        Wanted::Reset => {
            access.reset().await.map_err(refused)?;
            said(out, false);
        }
        Wanted::List { all } => list(out, access.keys().await.map_err(refused)?, all),
        Wanted::Create(NewApiKey { name, limits }) => {
            created(out, &access.create_key(&name, limits).await.map_err(refused)?);
        }
        Wanted::Change { id, name, limits } => {
            let keys = access.keys().await.map_err(refused)?;
            let key = find(&keys, &id)?;
            let patch = patch(key, name, &limits);
            changed(out, access.change_key(&key.id, patch).await.map_err(refused)?);
        }
        Wanted::Revoke(id) => {
            let keys = access.keys().await.map_err(refused)?;
            access.revoke_key(&find(&keys, &id)?.id).await.map_err(refused)?;
            list(out, access.keys().await.map_err(refused)?, false);
        }
    }
    Ok(())
}

/// The key of an id, or the one that has this name and is in use.
fn find<'k>(keys: &'k ApiKeyList, wanted: &str) -> Result<&'k ApiKey, Fault> {
    const LIST: &str = "`hearth auth keys list` shows the ids and names";
    if let Some(key) = keys.keys.iter().find(|key| key.id == wanted) {
        return Ok(key);
    }
    let mut named = keys
        .keys
        .iter()
        .filter(|key| key.name == wanted && key.revoked_at.is_none());
    match (named.next(), named.next()) {
        (Some(key), None) => Ok(key),
        (Some(_), Some(_)) => Err(Fault::wrong_use(format!("several keys are called \"{wanted}\""))
            .remedy(format!("Give the id: {LIST}"))),
        (None, _) => Err(Fault::wrong_use(format!("no key has the id or name \"{wanted}\"")).remedy(LIST)),
    }
}

fn refused(error: ApiError) -> Exit {
    Fault::refused(error.status.as_u16(), error.detail()).into()
}

fn said(out: &Out, is_set: bool) {
    if out.json {
        out.value(&serde_json::json!({ "set": is_set }));
    } else if is_set {
        out.line("The password is set. Who was signed in has to sign in with it.");
        out.hint("Start with --listen 0.0.0.0:4327 to reach this node from the local network.");
    } else {
        out.line("The password is forgotten and nobody is signed in any more.");
        out.hint("`hearth auth password` sets a new one; until then others get in with an API key alone (`hearth auth keys`).");
    }
}

fn created(out: &Out, created: &CreatedApiKey) {
    if out.json {
        out.value(created);
        return;
    }
    out.line(&created.secret);
    out.hint("Shown once: keep it where only the program that needs it can read it.");
}

/// What changes about a key: its other limits stay as they are.
fn patch(key: &ApiKey, name: Option<String>, limits: &LimitFlags) -> ApiKeyPatch {
    ApiKeyPatch {
        name,
        limits: (!limits.is_empty()).then(|| limits.over(key.limits.clone())),
    }
}

fn changed(out: &Out, key: ApiKey) {
    if out.json {
        out.value(&key);
    } else {
        list(out, ApiKeyList { keys: vec![key] }, true);
    }
}

fn list(out: &Out, mut list: ApiKeyList, all: bool) {
    list.keys.retain(|key| all || key.revoked_at.is_none());
    if out.json {
        out.value(&list);
        return;
    }
    for key in &list.keys {
        out.line(&format!(
            "{}  {:<24} {}",
            key.id,
            fit(&key.name, 24),
            dim(&format!("{}…", key.prefix))
        ));
        let revoked = if key.revoked_at.is_some() { "revoked, " } else { "" };
        let spent = match key.spent.0.upokt() {
            0 => String::new(),
            _ => format!(", {} POKT spent", pokt(key.spent.0)),
        };
        out.line(&format!(
            "  {}",
            dim(&format!("{revoked}{}{spent}", limits::words(&key.limits)))
        ));
    }
}
