//! What a request asks for.

use axum::http::{
    HeaderMap, Method, StatusCode,
    header::{ACCEPT, CACHE_CONTROL, IF_NONE_MATCH, RANGE},
    request::Parts,
};
use cid::Cid;
use percent_encoding::percent_decode_str;

use super::Mode;

/// A request that can be answered, or at least looked up.
#[derive(Clone, Debug)]
pub(super) struct GatewayRequest {
    pub(super) cid: Cid,
    /// Below the CID.
    pub(super) path: Vec<String>,
    pub(super) format: Format,
    /// The query that asks for the same without `Accept`, where the format came from there.
    pub(super) own_query: Option<String>,
    pub(super) only_if_cached: bool,
    pub(super) if_none_match: Option<String>,
    pub(super) range: Option<String>,
}

/// The form of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Raw,
    Car(CarOptions),
}

/// Which blocks, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CarOptions {
    pub(super) scope: Scope,
    /// Whether equal blocks are sent as often as they stand in the DAG.
    pub(super) dups: bool,
    /// What the answer calls its order: `dfs`, or `unk` if that was asked for.
    pub(super) order: &'static str,
}

/// How much of a DAG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Block,
    /// A file with all its blocks or those of a range; of a folder only its own.
    Entity(Option<ByteRange>),
    All,
}

/// A range of bytes, both ends included; negative places count from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ByteRange {
    pub(super) from: i64,
    /// `None`: to the end.
    pub(super) to: Option<i64>,
}

/// A request that is refused by its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) text: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Refusal {
        Refusal {
            status,
            text: text.into(),
        }
    }
}

/// Reads the head of a request.
pub(super) fn read(head: &Parts, mode: Mode) -> Result<GatewayRequest, Refusal> {
    if head.method != Method::GET && head.method != Method::HEAD {
        let text = format!("method {} is not allowed: this gateway is read-only", head.method);
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, text));
    }
    let (cid, path) = read_path(head.uri.path())?;
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    let parameter = |name: &str| {
        query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    let accepted = accepted(&head.headers);
    let by_query = match parameter("format") {
        Some("raw") => Some(Accepted {
            is_car: false,
            parameters: Vec::new(),
        }),
        Some("car") => {
            let parameters = accepted.as_ref().filter(|accepted| accepted.is_car);
            Some(Accepted {
                is_car: true,
                parameters: parameters.map(|car| car.parameters.clone()).unwrap_or_default(),
            })
        }
        Some(_) => return Err(only_trustless()),
        None => None,
    };
    let is_negotiated = by_query.is_none();
    let chosen = by_query.or(accepted).ok_or_else(only_trustless)?;
    let own_query = is_negotiated.then(|| own_query(&chosen));
    let format = if chosen.is_car {
        Format::Car(car_wish(&parameter, &chosen)?)
    } else {
        Format::Raw
    };
    if format == Format::Raw && !path.is_empty() && mode == Mode::Trustless {
        return Err(only_trustless());
    }
    let text = |name| {
        head.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    Ok(GatewayRequest {
        cid,
        path,
        format,
        own_query,
        only_if_cached: text(CACHE_CONTROL).is_some_and(|value| value.contains("only-if-cached")),
        if_none_match: text(IF_NONE_MATCH),
        range: text(RANGE),
    })
}

fn only_trustless() -> Refusal {
    let text = "this gateway answers trustless requests only: ask with format=raw or format=car, \
                or Accept: application/vnd.ipld.raw or application/vnd.ipld.car";
    Refusal::new(StatusCode::NOT_ACCEPTABLE, text)
}

fn read_path(path: &str) -> Result<(Cid, Vec<String>), Refusal> {
    let bad = |text: String| Refusal::new(StatusCode::BAD_REQUEST, text);
    let rest = path.strip_prefix("/ipfs/").unwrap_or_default();
    let mut names = rest.split('/');
    let name = names.next().unwrap_or_default();
    let cid = Cid::try_from(name).map_err(|error| bad(format!("\"{name}\" is no CID: {error}")))?;
    let names =
        names
            .filter(|name| !name.is_empty())
            .map(|name| match percent_decode_str(name).decode_utf8() {
                Ok(name) => Ok(name.into_owned()),
                Err(_) => Err(bad(format!("\"{name}\" is no UTF-8"))),
            });
    Ok((cid, names.collect::<Result<_, _>>()?))
}

/// The first media type of `Accept` that this gateway speaks.
struct Accepted {
    is_car: bool,
    parameters: Vec<(String, String)>,
}

fn accepted(headers: &HeaderMap) -> Option<Accepted> {
    let values = headers
        .get_all(ACCEPT)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).find_map(|media_type| {
        let mut parts = media_type.split(';').map(str::trim);
        let is_car = match parts.next()?.to_ascii_lowercase().as_str() {
            "application/vnd.ipld.car" => true,
            "application/vnd.ipld.raw" => false,
            _ => return None,
        };
        let parameters = parts
            .filter_map(|part| part.split_once('='))
            .map(|(key, value)| {
                (
                    key.trim().to_ascii_lowercase(),
                    value.trim().trim_matches('"').to_owned(),
                )
            })
            .collect();
        Some(Accepted { is_car, parameters })
    })
}

fn own_query(accepted: &Accepted) -> String {
    if !accepted.is_car {
        return "format=raw".to_owned();
    }
    let parameter = |name: &&str| {
        let found = accepted.parameters.iter().find(|(key, _)| key == *name);
        found.map(|(key, value)| format!("car-{key}={value}&"))
    };
    let parameters: String = ["dups", "order", "version"]
        .iter()
        .filter_map(parameter)
        .collect();
    format!("{parameters}format=car")
}

fn car_wish<'a>(
    parameter: &dyn Fn(&str) -> Option<&'a str>,
    accepted: &Accepted,
) -> Result<CarOptions, Refusal> {
    let bad = |text: &str| Refusal::new(StatusCode::BAD_REQUEST, text);
    // The address wins over the header.
    let choice = |name: &str| {
        let key = name.trim_start_matches("car-");
        let by_header = accepted
            .parameters
            .iter()
            .find(|(found, _)| found == key)
            .map(|(_, value)| value.clone());
        parameter(name).map(str::to_owned).or(by_header)
    };
    match choice("car-version").as_deref() {
        None | Some("1") => {}
        Some(_) => return Err(bad("only version 1 of application/vnd.ipld.car is supported")),
    }
    let order = match choice("car-order").as_deref() {
        None | Some("dfs") => "dfs",
        Some("unk") => "unk",
        Some(_) => return Err(bad("the order of application/vnd.ipld.car is dfs or unk")),
    };
    let dups = match choice("car-dups").as_deref() {
        None | Some("n") => false,
        Some("y") => true,
        Some(_) => return Err(bad("dups of application/vnd.ipld.car is y or n")),
    };
    let range = parameter("entity-bytes").map(byte_range).transpose()?;
    let scope = match parameter("dag-scope") {
        // Without a scope the whole DAG is sent, also where a range is given, as boxo does.
        None | Some("all") => Scope::All,
        Some("entity") => Scope::Entity(range),
        Some("block") => Scope::Block,
        Some(_) => return Err(bad("dag-scope is block, entity or all")),
    };
    Ok(CarOptions { scope, dups, order })
}

fn byte_range(text: &str) -> Result<ByteRange, Refusal> {
    let bad = |text: &str| Refusal::new(StatusCode::BAD_REQUEST, text);
    let form = || bad("entity-bytes is FROM:TO, two numbers; TO may be *");
    let (from, to) = text.split_once(':').ok_or_else(form)?;
    let from: i64 = from.parse().map_err(|_| form())?;
    let to = if to == "*" {
        None
    } else {
        Some(to.parse::<i64>().map_err(|_| form())?)
    };
    let inverted = to.is_some_and(|to| to < from && (to < 0) == (from < 0));
    if inverted {
        Err(bad("entity-bytes ends before it begins"))
    } else {
        Ok(ByteRange { from, to })
    }
}

impl GatewayRequest {
    /// What must hold of every range, whatever the size of the file.
    pub(super) fn check(&self) {
        let Format::Car(CarOptions {
            scope: Scope::Entity(Some(range)),
            ..
        }) = &self.format
        else {
            return;
        };
        for size in [0, 1, 5, u64::MAX] {
            if let Some((from, end)) = range.within(size) {
                assert!(
                    from < end && end <= size,
                    "{range:?} of {size} bytes is {from}..{end}"
                );
            }
        }
    }
}

impl ByteRange {
    /// The range in a file of `size` bytes, as half-open; `None` where it touches no byte.
    pub(super) fn within(self, size: u64) -> Option<(u64, u64)> {
        let place = |at: i64| {
            if at >= 0 {
                at.unsigned_abs()
            } else {
                size.saturating_sub(at.unsigned_abs())
            }
        };
        let from = place(self.from);
        let end = match self.to {
            None => size,
            Some(to) if to < 0 && to.unsigned_abs() > size => 0,
            Some(to) => place(to).saturating_add(1).min(size),
        };
        (from < end).then_some((from, end))
    }
}
