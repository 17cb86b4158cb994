//! Signatures that programs ask for: shown to the owner, signed once, given to the program that asked alone.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hearth_pocket::{PublicKey, SecretKey, adr36};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{World, json, world};

/// The key of the small wallet.
pub(crate) fn key() -> SecretKey {
    SecretKey::from_bytes(&[9; 32]).unwrap()
}

async fn call(world: &World, method: Method, path: &str, key: &str, body: Option<Value>) -> (u16, Value) {
    let call = world.bare(method, path).bearer_auth(key);
    let call = match body {
        Some(body) => call.json(&body),
        None => call,
    };
    let response = call.send().await.unwrap();
    let status = response.status().as_u16();
    if status == 204 {
        return (status, Value::Null);
    }
    (status, json(response).await)
}

async fn ask(world: &World, key: &str, text: &str) -> (u16, Value) {
    call(
        world,
        Method::POST,
        "/v1/signatures",
        key,
        Some(json!({ "text": text })),
    )
    .await
}

#[tokio::test]
async fn a_text_is_signed_once_the_owner_says_so() {
    let world = world().await;
    let (_, program) = world.key(json!({"scopes": ["signatures"]})).await;
    let (status, asked) = ask(&world, &program, "I am the owner").await;
    assert_eq!((status, &asked["state"]), (202, &json!("waiting")), "{asked}");
    let id = asked["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/signatures/{id}");

    let shown = world.get("/signatures").await["requests"][0].clone();
    assert_eq!(
        shown["content"],
        json!({"type": "text", "text": "I am the owner"})
    );
    assert_eq!(shown["id"], id.as_str());
    // Another program neither sees it nor takes it back.
    let (_, other) = world.key(json!({"scopes": ["signatures"]})).await;
    assert_eq!(call(&world, Method::GET, &path, &other, None).await.0, 404);
    assert_eq!(call(&world, Method::DELETE, &path, &other, None).await.0, 404);

    world.post("/wallet/lock", json!({})).await;
    let approve = format!("/signatures/{id}/approve");
    let refused = world.post(&approve, json!({})).await;
    assert_eq!(refused["error"]["code"], "key_locked", "{refused}");
    let refused = world.post(&approve, json!({"password": "wrong"})).await;
    assert_eq!(refused["error"]["code"], "wrong_password", "{refused}");
    assert_eq!(
        call(&world, Method::GET, &path, &program, None).await.1["state"],
        "waiting"
    );
    let done = world
        .own(Method::POST, &approve)
        .json(&json!({"password": "right"}));
    assert_eq!(done.send().await.unwrap().status(), 204);

    let (_, told) = call(&world, Method::GET, &path, &program, None).await;
    assert_eq!(told["state"], "signed", "{told}");
    let signature = STANDARD.decode(told["signature"].as_str().unwrap()).unwrap();
    let public = PublicKey::from_bytes(&key().public_key()).unwrap();
    let signed = adr36::sign_bytes(key().address(), b"I am the owner");
    assert!(public.verify(&signed, &signature).is_ok());
    // The key is closed again, and nothing waits any more.
    assert_eq!(world.get("/wallet").await["status"]["main_locked"], true);
    assert_eq!(world.get("/signatures").await["requests"], json!([]));
    let again = world.post(&approve, json!({"password": "right"})).await;
    assert_eq!(again["error"]["code"], "no_signature_wanted", "{again}");
}

#[tokio::test]
async fn programs_may_not_flood_the_owner_nor_sign_without_a_key_for_it() {
    let world = world().await;
    let (_, chat) = world.key(json!({})).await;
    assert_eq!(ask(&world, &chat, "x").await.1["error"]["code"], "key_scope");
    let bare = world
        .bare(Method::POST, "/v1/signatures")
        .json(&json!({"text": "x"}));
    assert_eq!(
        json(bare.send().await.unwrap()).await["error"]["code"],
        "key_needed"
    );

    let (_, program) = world.key(json!({"scopes": ["signatures"]})).await;
    for (body, word) in [
        (json!({}), "either"),
        (json!({"text": "a", "document": "b"}), "either"),
        (json!({"document": "!"}), "base64"),
        (json!({"document": "AAAA"}), "cannot be read"),
        (json!({"words": "a"}), "words"),
    ] {
        let (status, error) = call(&world, Method::POST, "/v1/signatures", &program, Some(body)).await;
        let message = error["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!(status, 400, "{error}");
        assert!(
            message.contains(word) || message.contains("not signed"),
            "{message}"
        );
    }
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(
            ask(&world, &program, &n.to_string()).await.1["id"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    let (status, error) = ask(&world, &program, "one too many").await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (429, &json!("too_many_signatures"))
    );
    // One that is refused or taken back makes room.
    let refuse = world.own(Method::POST, &format!("/signatures/{}/refuse", ids[0]));
    assert_eq!(refuse.send().await.unwrap().status(), 204);
    let path = format!("/v1/signatures/{}", ids[0]);
    assert_eq!(
        call(&world, Method::GET, &path, &program, None).await.1["state"],
        "refused"
    );
    let path = format!("/v1/signatures/{}", ids[1]);
    assert_eq!(call(&world, Method::DELETE, &path, &program, None).await.0, 204);
    assert_eq!(ask(&world, &program, "now").await.0, 202);
}

fn file() -> Value {
    let message = json!({
        "@type": "/cosmos.bank.v1beta1.MsgSend",
        "from_address": key().address().as_str(),
        "to_address": "pokt188myadvavpprxdfpg9p4ft3crv8plj65fr9lh7",
        "amount": [{ "denom": "upokt", "amount": "5" }],
    });
    json!({ "tx": {
        "body": { "messages": [message], "memo": "rent", "timeout_height": "0" },
        "auth_info": { "signer_infos": [], "fee": { "amount": [{ "denom": "upokt", "amount": "2" }], "gas_limit": "90000", "payer": "", "granter": "" } },
        "signatures": [],
    }})
}

#[tokio::test]
async fn a_document_of_other_numbers_says_so() {
    let world = world().await;
    let (_, program) = world.key(json!({"scopes": ["signatures"]})).await;
    for (at, codes) in [
        ((4, 2), json!(["first_payment"])),
        ((5, 9), json!(["other_number", "other_sequence", "first_payment"])),
    ] {
        let waits = hearth_roles::ToSign::new(&file()["tx"], &key().public_key(), "test", at).unwrap();
        let body = json!({ "document": STANDARD.encode(&waits.sign_doc) });
        let (status, asked) = call(&world, Method::POST, "/v1/signatures", &program, Some(body)).await;
        assert_eq!(status, 202, "{asked}");
        let list = world.get("/signatures").await;
        let shown = &list["requests"].as_array().unwrap().last().unwrap()["content"];
        assert_eq!(
            (&shown["account_number"], &shown["sequence"]),
            (&json!(at.0), &json!(at.1))
        );
        assert_eq!(shown["sent"], "5", "{shown:#}");
        let notes = shown["notes"].as_array().unwrap().iter();
        assert_eq!(notes.map(|note| note["code"].clone()).collect::<Value>(), codes);
    }
}

#[tokio::test]
async fn payees_of_documents_are_looked_at_as_those_of_payments() {
    const PAID: &str = "pokt1p4hyq70rvup7h5muqpez7ky3629su2q3lsdkpd";
    const ALIKE: &str = "pokt1p4hxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxsdkpd";
    let world = world().await;
    let (_, program) = world.key(json!({"scopes": ["signatures"]})).await;
    for (to, codes) in [(PAID, json!([])), (ALIKE, json!(["looks_like", "first_payment"]))] {
        let mut file = file();
        let mut payment = file["tx"]["body"]["messages"][0].clone();
        payment["to_address"] = json!(to);
        // Also inside what is done with a power.
        file["tx"]["body"]["messages"] = json!([{
            "@type": "/cosmos.authz.v1beta1.MsgExec", "grantee": key().address().as_str(), "msgs": [payment],
        }]);
        let shown = world.post("/wallet/tx/review", file.clone()).await;
        let waits = hearth_roles::ToSign::new(&file["tx"], &key().public_key(), "test", (4, 2)).unwrap();
        let body = json!({ "document": STANDARD.encode(&waits.sign_doc) });
        let (status, asked) = call(&world, Method::POST, "/v1/signatures", &program, Some(body)).await;
        assert_eq!(status, 202, "{asked}");
        let list = world.get("/signatures").await;
        let listed = &list["requests"].as_array().unwrap().last().unwrap()["content"];
        for content in [&shown["content"], listed] {
            let notes = content["notes"].as_array().unwrap();
            assert_eq!(
                notes.iter().map(|note| note["code"].clone()).collect::<Value>(),
                codes
            );
            if let Some(alike) = notes.iter().find(|note| note["code"] == "looks_like") {
                assert_eq!(
                    (&alike["danger"], &alike["values"]["other"]),
                    (&json!(true), &json!(PAID))
                );
            }
        }
        let draft = json!({ "from": "main", "to": to, "amount": "1", "memo": null });
        let review = world.post("/wallet/send/review", draft).await;
        assert_eq!(review["looks_like"].is_object(), to == ALIKE, "{review}");
        assert_eq!(review["first_payment_to_address"], to == ALIKE, "{review}");
    }
}

#[tokio::test]
async fn a_file_of_another_node_is_shown_whole_and_signed_with_the_password() {
    let world = world().await;
    let shown = world.post("/wallet/tx/review", file()).await;
    assert_eq!(shown["account"], key().address().as_str(), "{shown:#}");
    assert_eq!(shown["content"]["messages"][0]["amount"][0]["amount"], "5");
    assert_eq!(
        (&shown["content"]["fee"], &shown["content"]["memo"]),
        (&json!("2"), &json!("rent"))
    );
    assert_eq!(
        (&shown["account_number"], &shown["sequence"]),
        (&json!(4), &json!(2))
    );

    world.post("/wallet/lock", json!({})).await;
    let refused = world.post("/wallet/tx/sign", json!({ "file": file() })).await;
    assert_eq!(refused["error"]["code"], "key_locked");
    let order = json!({ "file": file(), "password": "right" });
    let signed = world.post("/wallet/tx/sign", order).await;
    let key_there = &signed["tx"]["auth_info"]["signer_infos"][0]["public_key"]["key"];
    assert_eq!(
        key_there,
        &json!(STANDARD.encode(key().public_key())),
        "{signed:#}"
    );
    let waits = hearth_roles::ToSign::new(&file()["tx"], &key().public_key(), "test", (4, 2)).unwrap();
    let signature = STANDARD
        .decode(signed["tx"]["signatures"][0].as_str().unwrap())
        .unwrap();
    let public_key = PublicKey::from_bytes(&key().public_key()).unwrap();
    public_key.verify(&waits.sign_doc, &signature).unwrap();
    // What is signed already, half a pair of numbers, a payer who is somebody else, and what hides a field are refused.
    let mut other_payer = file();
    other_payer["tx"]["auth_info"]["fee"]["granter"] = json!("pokt188myadvavpprxdfpg9p4ft3crv8plj65fr9lh7");
    let mut half = file();
    half["sequence"] = json!(3);
    for (wrong, said) in [
        (json!({ "tx": signed["tx"] }), "carries a signature"),
        (json!({ "tx": { "messages": [] } }), "no transaction"),
        (other_payer, "somebody else is to pay"),
        (half, "or neither"),
    ] {
        let refused = world.post("/wallet/tx/review", wrong).await;
        assert!(
            refused["error"]["message"].as_str().unwrap().contains(said),
            "{refused:#}"
        );
    }
}
