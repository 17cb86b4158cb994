//! Other programs: shown, written, taken back; and for whom.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TOKEN, World, json, world};

fn program(list: &Value, id: &str) -> Value {
    let programs = list["programs"].as_array().unwrap().iter();
    programs.clone().find(|one| one["id"] == id).unwrap().clone()
}

async fn first_model(world: &World) -> String {
    let models = world.get("/models").await;
    let models = models["models"].as_array().unwrap().iter();
    let chat = models.clone().find(|model| model["task"] == "chat").unwrap();
    chat["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_program_is_shown_written_and_taken_back() {
    let world = world().await;
    let model = first_model(&world).await;
    let list = world
        .get(&format!("/connect?model={model}&root=http://hearth.lan:4327"))
        .await;
    assert_eq!(
        (&list["may_write"], &list["model"]),
        (&json!(true), &json!(model))
    );
    let curl = program(&list, "curl");
    let text = curl["snippets"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("http://hearth.lan:4327/v1/chat/completions")
            && text.contains(list["key_placeholder"].as_str().unwrap()),
        "{text}"
    );
    assert_eq!(curl["path"], Value::Null);
    assert_eq!(program(&list, "codex")["connected"], Value::Null);

    let preview = world.get(&format!("/connect/codex?model={model}")).await;
    assert!(
        preview["lines"]
            .as_array()
            .unwrap()
            .iter()
            .all(|line| line["kind"] == "added"),
        "{preview}"
    );
    let order = json!({ "model": model, "seen": preview["seen"] });
    let written = world.post("/connect/codex", order.clone()).await;
    let path = written["connected"]["path"].as_str().unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    assert!(
        text.contains("experimental_bearer_token = \"sk-hearth-"),
        "{text}"
    );
    assert_eq!(written["secret"], Value::Null, "it lies in the file");
    let keys = world.get("/keys").await;
    assert_eq!(
        (&keys["keys"][0]["name"], &keys["keys"][0]["limits"]["scopes"]),
        (&json!("Codex"), &json!(["local", "embeddings"]))
    );
    let list = world.get("/connect").await;
    assert_eq!(
        program(&list, "codex")["connected"]["key_id"],
        keys["keys"][0]["id"]
    );

    // What was shown before is not what lies there now, and no key is left over.
    let refused = world
        .own(Method::POST, "/connect/codex")
        .json(&order)
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 409);
    assert_eq!(json(refused).await["error"]["code"], "settings_changed");
    assert_eq!(world.get("/keys").await["keys"].as_array().unwrap().len(), 1);

    let undone = json(world.own(Method::DELETE, "/connect/codex").send().await.unwrap()).await;
    assert_eq!((&undone["removed"], &undone["kept"]), (&json!(true), &json!([])));
    assert!(!std::path::Path::new(path).exists());
    assert_eq!(world.get("/keys").await["keys"], json!([]), "nobody had used it");
}

#[tokio::test]
async fn files_are_written_for_whoever_sits_here() {
    let world = world().await;
    let model = first_model(&world).await;
    // A proxy calls for somebody else.
    let through_proxy = |method: Method, path: &str| {
        let call = world.bare(method, &format!("/api/v1{path}")).bearer_auth(TOKEN);
        call.header("x-forwarded-for", "203.0.113.9")
    };
    let list = json(through_proxy(Method::GET, "/connect").send().await.unwrap()).await;
    assert_eq!(list["may_write"], false);
    for (method, path) in [
        (Method::GET, "/connect/codex"),
        (Method::POST, "/connect/codex"),
        (Method::DELETE, "/connect/codex"),
    ] {
        let order = json!({ "model": model, "seen": "" });
        let refused = through_proxy(method, path).json(&order).send().await.unwrap();
        assert_eq!(refused.status(), 403);
        assert_eq!(json(refused).await["error"]["code"], "connect_from_here");
    }
    for (path, status) in [
        ("/connect/emacs", 404),
        ("/connect/curl", 400),
        ("/connect/codex?model=none", 404),
        ("/connect?root=javascript:1", 400),
        ("/connect?colour=red", 400),
    ] {
        let refused = world.own(Method::GET, path).send().await.unwrap();
        assert_eq!(refused.status(), status, "{path}");
    }
    let refused = world.own(Method::DELETE, "/connect/zed").send().await.unwrap();
    assert_eq!(refused.status(), 404);
}
