//! `hearth auth keys`.

use hearth_node::control::{ApiKeyList, CreatedApiKey, NewApiKey};

use super::{
    Client, Done, Out, Place,
    args::{Args, AuthCommand},
    out::dim,
};

pub(super) async fn run(command: &AuthCommand, args: &Args, out: &Out) -> Done {
    let AuthCommand::Keys { create, delete } = command;
    let place = Place::find(args)?;
    let client = Client::connect(&place).await?;
    if let Some(name) = create {
        let created: CreatedApiKey = client.post("/keys", &NewApiKey { name: name.clone() }).await?;
        if out.json {
            out.value(&created);
        } else {
            out.line(&created.secret);
            out.hint("Shown once: keep it where only the program that needs it can read it.");
        }
        return Ok(());
    }
    if let Some(id) = delete {
        client.delete(&format!("/keys/{id}")).await?;
    }
    let list: ApiKeyList = client.get("/keys").await?;
    if out.json {
        out.value(&list);
        return Ok(());
    }
    for key in &list.keys {
        out.line(&format!(
            "{}  {:<24} {}",
            key.id,
            key.name,
            dim(&format!("{}…", key.prefix))
        ));
    }
    Ok(())
}
