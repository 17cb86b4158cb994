//! Questions to the state machine: raw keys with proofs, and the query services by their path.

use prost::Message;
use prost13::Message as _;
use serde_json::{Value, json};

use super::{Answer, RpcError, Server, args::Args, json as to};
use crate::{
    faults::Fault,
    query::{self, QueryError, QueryRequest},
    state::{EMPTY_STORES, StoreName},
};

/// The `response` object of an answer.
struct Response {
    code: u32,
    codespace: &'static str,
    log: String,
    key: Vec<u8>,
    value: Vec<u8>,
    proof_ops: Value,
    height: u64,
}

impl Response {
    fn refused(error: QueryError) -> Response {
        Response {
            code: error.code,
            codespace: error.codespace,
            log: error.log,
            key: Vec::new(),
            value: Vec::new(),
            proof_ops: Value::Null,
            height: error.height,
        }
    }

    fn to_json(&self) -> Value {
        let bytes = |bytes: &[u8]| {
            if bytes.is_empty() {
                Value::Null
            } else {
                json!(to::base64(bytes))
            }
        };
        json!({"response": {
            "code": self.code,
            "log": self.log,
            "info": "",
            "index": "0",
            "key": bytes(&self.key),
            "value": bytes(&self.value),
            "proofOps": self.proof_ops,
            "height": self.height.to_string(),
            "codespace": self.codespace,
        }})
    }
}

/// Pairs of a store, as the subspace query answers them.
#[derive(Clone, PartialEq, prost::Message)]
struct Pairs {
    #[prost(message, repeated, tag = "1")]
    pairs: Vec<Pair>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Pair {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

impl Server {
    pub(super) fn abci_info(&self) -> Value {
        let head = self.core.head();
        json!({"response": {
            "data": "pocket",
            "version": query::APP_VERSION,
            "last_block_height": self.visible_height().to_string(),
            "last_block_app_hash": to::base64(&head.app_hash),
        }})
    }

    pub(super) fn abci_query(&self, args: &Args) -> Answer {
        let path = args.text("path")?.unwrap_or_default();
        let data = args.hex("data")?.unwrap_or_default();
        let asked = args.number("height")?.unwrap_or(0);
        let prove = args.flag("prove")?;
        let Ok(asked) = u64::try_from(asked) else {
            return Err(RpcError::internal("height must be non-negative"));
        };
        let last = self.visible_height();
        let height = if asked == 0 { last } else { asked };
        let answered = match path
            .strip_prefix("store/")
            .or_else(|| path.strip_prefix("/store/"))
        {
            Some(rest) => self.store_query(rest, data, height, last, prove),
            None => self.service_query(&path, &data, asked, last),
        };
        Ok(answered.unwrap_or_else(Response::refused).to_json())
    }

    fn store_query(
        &self,
        path: &str,
        key: Vec<u8>,
        height: u64,
        last: u64,
        prove: bool,
    ) -> Result<Response, QueryError> {
        let refuse = |code, log: &str| QueryError {
            codespace: "store",
            ..QueryError::new(code, log)
        };
        let (store, kind) = path.split_once('/').unwrap_or((path, ""));
        let is_known = StoreName::parse(store).is_some() || EMPTY_STORES.contains(&store);
        if !is_known {
            return Err(refuse(4, &format!("no such store: {store}: unknown request")));
        }
        if kind == "subspace" {
            return Ok(self.subspace(store, key));
        }
        if kind != "key" {
            return Err(refuse(
                6,
                &format!("unexpected query path: /{kind}: unknown request"),
            ));
        }
        if prove && height <= 1 {
            let log =
                "cannot query with proof when height <= 1; please provide a valid height: invalid request";
            return Err(QueryError::new(18, log));
        }
        let state = self.core.state_at(height).filter(|_| height <= last);
        let missing = "proof is unexpectedly empty; ensure height has not been pruned: invalid request";
        let Some(state) = state else {
            return Err(refuse(7, missing));
        };
        let mut value = StoreName::parse(store)
            .and_then(|store| state.get(store, &key))
            .map(<[u8]>::to_vec)
            .unwrap_or_default();
        let mut proof_ops = Value::Null;
        if prove {
            let Some(proofs) = state.prove(store, &key) else {
                return Err(refuse(7, missing));
            };
            proof_ops = self.proof_ops(store, &key, &proofs);
            if self.core.faults.is(&Fault::WrongValue) {
                match value.last_mut() {
                    Some(last) => *last ^= 1,
                    None => value = b"1".to_vec(),
                }
            }
        }
        Ok(Response {
            code: 0,
            codespace: "",
            log: String::new(),
            key,
            value,
            proof_ops,
            height,
        })
    }

    fn proof_ops(&self, store: &str, key: &[u8], proofs: &[ics23::CommitmentProof; 2]) -> Value {
        let [mut in_store, of_store] = proofs.each_ref().map(|proof| proof.encode_to_vec());
        if self.core.faults.is(&Fault::WrongProof)
            && let Some(byte) = in_store.last_mut()
        {
            *byte ^= 1;
        }
        json!({"ops": [
            {"type": "ics23:iavl", "key": to::base64(key), "data": to::base64(&in_store)},
            {"type": "ics23:simple", "key": to::base64(store.as_bytes()), "data": to::base64(&of_store)},
        ]})
    }

    /// Answers from the newest state, whatever height is asked, as the real chain does.
    fn subspace(&self, store: &str, prefix: Vec<u8>) -> Response {
        let head = self.core.head();
        let leaves = StoreName::parse(store)
            .map(|store| head.state.prefix(store, &prefix))
            .unwrap_or_default();
        let pairs = leaves
            .iter()
            .map(|leaf| Pair {
                key: leaf.key.to_vec(),
                value: leaf.value.to_vec(),
            })
            .collect();
        Response {
            code: 0,
            codespace: "",
            log: String::new(),
            key: prefix,
            value: Pairs { pairs }.encode_to_vec(),
            proof_ops: Value::Null,
            height: head.height,
        }
    }

    fn service_query(&self, path: &str, data: &[u8], asked: u64, last: u64) -> Result<Response, QueryError> {
        if asked > last {
            let log = "cannot query with height in the future; please provide a valid height: invalid height";
            return Err(QueryError::new(26, log));
        }
        let height = if asked == 0 { last } else { asked };
        if path == query::SIMULATE {
            let value = query::simulate(self.core.ctx(), data)?;
            return Ok(Response {
                code: 0,
                codespace: "",
                log: String::new(),
                key: Vec::new(),
                value,
                proof_ops: Value::Null,
                height,
            });
        }
        let Some(state) = self.core.state_at(height) else {
            let log = format!(
                "failed to load state at height {height}; version does not exist (latest height: {last}): invalid request"
            );
            return Err(QueryError::new(18, log));
        };
        let asked = QueryRequest {
            state: &state,
            height,
            chain_id: &self.core.chain_id,
            data,
        };
        let value = query::answer(path, &asked).map_err(|error| error.at(height))?;
        Ok(Response {
            code: 0,
            codespace: "",
            log: String::new(),
            key: Vec::new(),
            value,
            proof_ops: Value::Null,
            height,
        })
    }
}
