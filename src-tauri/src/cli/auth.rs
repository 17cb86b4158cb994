//! `hearth auth`: the login of other computers and API keys, on the host itself, with a daemon and without one.

use hearth_node::{
    ApiError, OfflineAccess,
    control::{ApiKeyList, CreatedApiKey, NewApiKey, SetLogin},
};

use super::{
    Client, Done, Exit, Fault, Out, Place,
    args::{Args, AuthCommand, KeysCommand},
    out::dim,
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
    List,
    Create(String),
    Revoke(String),
}

impl Wanted {
    /// Whether it may be the first thing that is done here.
    fn sets_up(&self) -> bool {
        match self {
            Wanted::Password(_) | Wanted::Create(_) => true,
            Wanted::Reset | Wanted::List | Wanted::Revoke(_) => false,
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
                None | Some(KeysCommand::List) => Wanted::List,
                Some(KeysCommand::Create { name }) => Wanted::Create(name.clone()),
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
        Wanted::List => list(out, &client.get("/keys").await?),
        Wanted::Create(name) => created(out, &client.post("/keys", &NewApiKey { name }).await?),
        Wanted::Revoke(id) => {
            client.delete(&format!("/keys/{}", plain(&id)?)).await?;
            list(out, &client.get("/keys").await?);
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
        Wanted::List => list(out, &access.keys().await.map_err(refused)?),
        Wanted::Create(name) => created(out, &access.create_key(&name).await.map_err(refused)?),
        Wanted::Revoke(id) => {
            access.revoke_key(plain(&id)?).await.map_err(refused)?;
            list(out, &access.keys().await.map_err(refused)?);
        }
    }
    Ok(())
}

/// An id becomes a part of a path, so it must not bring parts of its own.
fn plain(id: &str) -> Result<&str, Fault> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if !id.is_empty() && id.bytes().all(is_plain) {
        return Ok(id);
    }
    Err(Fault::wrong_use(format!("\"{id}\" is no id of a key"))
        .remedy("`hearth auth keys list` shows the ids"))
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

fn list(out: &Out, list: &ApiKeyList) {
    if out.json {
        out.value(list);
        return;
    }
    for key in &list.keys {
        out.line(&format!(
            "{}  {:<24} {}",
            key.id,
            key.name,
            dim(&format!("{}…", key.prefix))
        ));
    }
}
