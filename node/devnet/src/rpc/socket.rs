//! WebSocket: every call of the server, and subscriptions to new blocks and transactions.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    body::Bytes,
    extract::ws::{Message, WebSocket},
};
use serde_json::{Value, json};
use tokio::{sync::broadcast::error::RecvError, time::MissedTickBehavior};

use super::{
    RpcError, Server,
    args::Args,
    json as to,
    search::{self, Condition, Operator},
    wrap,
};
use crate::{core::BlockNotice, db::TxRow, events::Event};

/// Subscriptions of one connection; mainnet's nodes allow five.
const MAX_SUBSCRIPTIONS: usize = 100;

/// How long a client may take for one message.
const TAKE_WITHIN: Duration = Duration::from_secs(30);

/// A client that says nothing between so many questions whether it is there is gone: its computer may have lost its
/// power, and the connection would stay open for ever.
const MAX_UNANSWERED: u32 = 3;

/// Subscriptions by their query, each with the id of its call.
type Subscriptions = BTreeMap<String, (Value, Vec<Condition>)>;

/// Talks until the client goes away.
pub(super) async fn talk(server: Server, mut socket: WebSocket) {
    let mut news = server.core.news.subscribe();
    let mut subscriptions = Subscriptions::new();
    let mut asks = tokio::time::interval(server.ask_every);
    asks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut unanswered = 0;
    loop {
        let answers = tokio::select! {
            message = socket.recv() => {
                unanswered = 0;
                match message {
                    Some(Ok(Message::Text(text))) => {
                        requested(&server, &mut subscriptions, text.as_str()).await
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_))) => Vec::new(),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                }
            }
            _ = asks.tick() => {
                if unanswered >= MAX_UNANSWERED {
                    return;
                }
                unanswered += 1;
                let asked = socket.send(Message::Ping(Bytes::new()));
                if !matches!(tokio::time::timeout(TAKE_WITHIN, asked).await, Ok(Ok(()))) {
                    return;
                }
                Vec::new()
            }
            block = news.recv() => match block {
                Ok(block) => told(&subscriptions, &block),
                // A client that lags loses its subscriptions, as with CometBFT.
                Err(RecvError::Lagged(_) | RecvError::Closed) => return,
            },
        };
        for answer in answers {
            let sent = socket.send(Message::Text(answer.to_string().into()));
            // Who takes nothing for so long is gone.
            if !matches!(tokio::time::timeout(TAKE_WITHIN, sent).await, Ok(Ok(()))) {
                return;
            }
        }
    }
}

async fn requested(server: &Server, subscriptions: &mut Subscriptions, text: &str) -> Vec<Value> {
    let Ok(request) = serde_json::from_str::<Value>(text) else {
        let error = RpcError {
            code: -32700,
            message: "Parse error",
            data: Some("the message is no JSON".to_owned()),
        };
        return vec![wrap(json!(-1), Err(error))];
    };
    let method = request.get("method").and_then(Value::as_str).unwrap_or_default();
    let id = request.get("id").cloned().unwrap_or(json!(-1));
    let result = match method {
        "subscribe" => subscribe(subscriptions, &id, request.get("params")),
        "unsubscribe" => unsubscribe(subscriptions, request.get("params")),
        "unsubscribe_all" => {
            subscriptions.clear();
            Ok(json!({}))
        }
        _ => return server.answer_one(&request).await.into_iter().collect(),
    };
    vec![wrap(id, result)]
}

fn query_of(params: Option<&Value>) -> Result<String, RpcError> {
    let args = Args::from_json("subscribe", params)?;
    args.text("query")?
        .ok_or_else(|| RpcError::params("query is missing"))
}

fn subscribe(subscriptions: &mut Subscriptions, id: &Value, params: Option<&Value>) -> super::Answer {
    let query = query_of(params)?;
    if subscriptions.len() >= MAX_SUBSCRIPTIONS {
        return Err(RpcError::internal(format!(
            "max_subscriptions_per_client {MAX_SUBSCRIPTIONS} reached"
        )));
    }
    let conditions = search::parse(&query)?;
    if subscriptions.insert(query, (id.clone(), conditions)).is_some() {
        return Err(RpcError::internal("already subscribed"));
    }
    Ok(json!({}))
}

fn unsubscribe(subscriptions: &mut Subscriptions, params: Option<&Value>) -> super::Answer {
    match subscriptions.remove(&query_of(params)?) {
        Some(_) => Ok(json!({})),
        None => Err(RpcError::internal("subscription not found")),
    }
}

/// Attributes by their full name, as subscribers see and ask them.
type Tags = BTreeMap<String, Vec<String>>;

fn tags(kind: &str, events: &[Event]) -> Tags {
    let mut tags = Tags::from([("tm.event".to_owned(), vec![kind.to_owned()])]);
    for event in events {
        for (key, value) in &event.attributes {
            tags.entry(format!("{}.{key}", event.kind))
                .or_default()
                .push(value.clone());
        }
    }
    tags
}

fn wanted(conditions: &[Condition], tags: &Tags) -> bool {
    conditions.iter().all(|condition| {
        let Some(values) = tags.get(&condition.key) else {
            return false;
        };
        values.iter().any(|value| match condition.operator {
            Operator::Equal => *value == condition.value,
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                match (value.parse(), condition.value.parse()) {
                    (Ok(found), Ok(limit)) => condition.operator.holds(found, limit),
                    (Err(_), _) | (_, Err(_)) => false,
                }
            }
        })
    })
}

/// What subscribers hear of a block.
fn told(subscriptions: &Subscriptions, news: &BlockNotice) -> Vec<Value> {
    if subscriptions.is_empty() {
        return Vec::new();
    }
    let mut answers = Vec::new();
    let mut tell = |kind: &str, tags: &Tags, value: &dyn Fn() -> Value| {
        for (query, (id, conditions)) in subscriptions {
            if wanted(conditions, tags) {
                let data = json!({"type": format!("tendermint/event/{kind}"), "value": value()});
                answers.push(wrap(
                    id.clone(),
                    Ok(json!({"query": query, "data": data, "events": tags})),
                ));
            }
        }
    };
    tell("NewBlock", &tags("NewBlock", &news.block.events), &|| {
        new_block(news)
    });
    let header_tags = tags("NewBlockHeader", &[]);
    tell(
        "NewBlockHeader",
        &header_tags,
        &|| json!({"header": to::header(&news.block.header)}),
    );
    for tx in news.txs.iter() {
        let mut tags = tags("Tx", &tx.result.events);
        tags.insert("tx.hash".to_owned(), vec![hex::encode_upper(&tx.hash)]);
        tags.insert("tx.height".to_owned(), vec![tx.height.to_string()]);
        tell("Tx", &tags, &|| new_tx(tx));
    }
    answers
}

fn new_block(news: &BlockNotice) -> Value {
    let results: Vec<Value> = news.txs.iter().map(|tx| to::tx_result(&tx.result)).collect();
    json!({
        "block": to::block(&news.block, news.last_commit.as_ref(), &news.txs),
        "block_id": to::block_id(Some(&news.block.commit.block_id)),
        "result_finalize_block": {
            "events": to::events(&news.block.events),
            "tx_results": results,
            "validator_updates": [],
            "consensus_param_updates": to::param_updates(),
            "app_hash": to::base64(&news.block.app_hash),
        },
    })
}

/// Protobuf's JSON: what is empty is left out.
fn new_tx(tx: &TxRow) -> Value {
    let mut result = to::tx_result(&tx.result);
    if let Some(fields) = result.as_object_mut() {
        fields.retain(|_, value| !(value.is_null() || *value == json!(0) || *value == json!("")));
    }
    let mut shown = json!({"height": tx.height.to_string()});
    if tx.index > 0 {
        shown["index"] = json!(tx.index);
    }
    shown["tx"] = json!(to::base64(&tx.raw));
    shown["result"] = result;
    json!({"TxResult": shown})
}
