//! A trustless gateway over HTTP: raw blocks and CARs of byte ranges.
//!
//! Specification: `ipfs/specs: src/http-gateways/trustless-gateway.md`.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use cid::Cid;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use hearth_outbound::{Client, Config, PrivateAddresses};
use reqwest::{
    Response,
    header::{ACCEPT, CONTENT_TYPE, DATE, RETRY_AFTER},
};
use url::Url;

use super::{
    Source, SourceError,
    answer::{self, RAW_TYPE},
};
use crate::{
    block::{Block, MAX_BLOCK_BYTES},
    car::{CarError, CarReader},
};

/// Redirects that are followed: gateways answer at a host of the model's own.
const REDIRECTS: usize = 4;

/// Patience with a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// To open a connection.
    pub connect: Duration,
    /// Without a byte, before and during an answer.
    pub stall: Duration,
}

impl Default for HttpLimits {
    fn default() -> HttpLimits {
        HttpLimits {
            connect: Duration::from_secs(5),
            stall: Duration::from_secs(30),
        }
    }
}

/// A gateway at an address.
#[derive(Clone, Debug)]
pub struct HttpGateway {
    /// Ends before `/ipfs/`.
    base: String,
    client: Client,
    limits: HttpLimits,
    /// It answered that it makes no CARs: it is asked for single blocks from then on.
    makes_no_cars: Arc<AtomicBool>,
}

impl HttpGateway {
    /// Takes `http://HOST:PORT`, with or without `/ipfs`.
    ///
    /// # Errors
    /// Texts that are no address of that kind.
    pub fn new(address: &str, limits: HttpLimits) -> Result<HttpGateway, SourceError> {
        let bad = || SourceError::Address(address.to_owned());
        let url = Url::parse(address.trim()).map_err(|_| bad())?;
        if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() {
            return Err(bad());
        }
        // Blocks do not shrink, and a compressed answer could grow without bound. A source of the owner's network is
        // his word; one outside may not lead there.
        let client = Client::new(Config {
            redirects: REDIRECTS,
            ..Config::new(PrivateAddresses::AsWritten, limits.connect)
        })
        .map_err(|_| bad())?;
        let path = url
            .path()
            .trim_end_matches('/')
            .trim_end_matches("/ipfs")
            .trim_end_matches('/');
        let base = format!("{}{path}", url.origin().ascii_serialization());
        Ok(HttpGateway {
            base,
            client,
            limits,
            makes_no_cars: Arc::default(),
        })
    }

    async fn get(&self, path: String, accept: &'static str) -> Result<Response, SourceError> {
        let bad = |_| SourceError::Address(self.base.clone());
        let url = Url::parse(&format!("{}/ipfs/{path}", self.base)).map_err(bad)?;
        let request = self.client.pick(&url).get(url).header(ACCEPT, accept);
        let response = self
            .patiently(request.send())
            .await?
            .map_err(|source| SourceError::Unreachable {
                source_name: self.base.clone(),
                source,
            })?;
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let status = response.status().as_u16();
        answer::check_head(&self.base, status, text(RETRY_AFTER), text(DATE))?;
        Ok(response)
    }

    /// The next bytes; `None` at the end.
    async fn chunk(&self, response: &mut Response) -> Result<Option<Bytes>, SourceError> {
        self.patiently(response.chunk())
            .await?
            .map_err(|source| SourceError::Unreachable {
                source_name: self.base.clone(),
                source,
            })
    }

    async fn patiently<T>(&self, waiting: impl Future<Output = T>) -> Result<T, SourceError> {
        tokio::time::timeout(self.limits.stall, waiting)
            .await
            .map_err(|_| SourceError::Stalled {
                source_name: self.base.clone(),
                seconds: self.limits.stall.as_secs(),
            })
    }

    async fn open_span(&self, root: Cid, from: u64, to: u64) -> Result<Response, SourceError> {
        let path = format!("{root}?format=car&dag-scope=entity&entity-bytes={from}:{to}");
        self.get(path, "application/vnd.ipld.car; version=1; order=dfs; dups=n")
            .await
    }

    fn car_error(&self, response: &Response, error: CarError) -> SourceError {
        let source_name = self.base.clone();
        if let (CarError::HeaderLength(_) | CarError::Header, Some(content_type)) =
            (&error, said_type(response))
        {
            return SourceError::ContentType {
                source_name,
                content_type,
            };
        }
        match error {
            CarError::Block(source) => SourceError::Bad { source_name, source },
            source @ (CarError::HeaderLength(_)
            | CarError::Header
            | CarError::Version(_)
            | CarError::SectionLength(_)
            | CarError::Length
            | CarError::Cid
            | CarError::Torn(_)) => SourceError::Car { source_name, source },
        }
    }
}

#[async_trait]
impl Source for HttpGateway {
    fn name(&self) -> &str {
        &self.base
    }

    async fn block(&self, cid: &Cid) -> Result<Block, SourceError> {
        if let Some(block) = Block::from_identity(*cid) {
            return Ok(block);
        }
        let mut response = self.get(format!("{cid}?format=raw"), RAW_TYPE).await?;
        let mut bytes = BytesMut::new();
        // One byte over the limit is enough to be refused below.
        while bytes.len() <= MAX_BLOCK_BYTES
            && let Some(chunk) = self.chunk(&mut response).await?
        {
            bytes.extend_from_slice(&chunk);
        }
        let source_name = self.base.clone();
        Block::verify(*cid, bytes.freeze()).map_err(|source| match said_type(&response) {
            Some(content_type) => SourceError::ContentType {
                source_name,
                content_type,
            },
            None => SourceError::Bad { source_name, source },
        })
    }

    fn span<'a>(&'a self, root: Cid, from: u64, to: u64) -> BoxStream<'a, Result<Block, SourceError>> {
        let start = Span::Closed { root, from, to };
        let blocks = stream::unfold(start, move |span| async move { self.next_in_span(span).await });
        blocks.boxed()
    }
}

/// The type that an answer says it has, if it is not one of blocks.
fn said_type(response: &Response) -> Option<String> {
    let header = response.headers().get(CONTENT_TYPE);
    answer::foreign_type(header.and_then(|value| value.to_str().ok()))
}

/// How far a CAR was read.
enum Span {
    Closed {
        root: Cid,
        from: u64,
        to: u64,
    },
    Open {
        response: Box<Response>,
        reader: CarReader,
        ready: VecDeque<Result<Block, SourceError>>,
    },
    /// Nothing more is read; what came before is still handed on, then the trouble.
    Ending(VecDeque<Result<Block, SourceError>>),
}

impl HttpGateway {
    /// The next block and what is left. The first error that is not about one block is the last item.
    async fn next_in_span(&self, span: Span) -> Option<(Result<Block, SourceError>, Span)> {
        let last = |error| Some((Err(error), Span::Ending(VecDeque::new())));
        let (mut response, mut reader, mut ready) = match span {
            Span::Ending(mut ready) => {
                let result = ready.pop_front()?;
                return Some((result, Span::Ending(ready)));
            }
            Span::Open {
                response,
                reader,
                ready,
            } => (response, reader, ready),
            // Nothing comes by CAR: whoever counts what came asks for the missing blocks one by one.
            Span::Closed { .. } if self.makes_no_cars.load(Ordering::Relaxed) => return None,
            Span::Closed { root, from, to } => match self.open_span(root, from, to).await {
                Ok(response) => (Box::new(response), CarReader::new(), VecDeque::new()),
                Err(SourceError::Status { status, .. }) if answer::refuses_the_form(status) => {
                    tracing::info!(
                        source = self.base,
                        status,
                        "a gateway makes no CARs: it is asked for single blocks"
                    );
                    self.makes_no_cars.store(true, Ordering::Relaxed);
                    return None;
                }
                Err(error) => return last(error),
            },
        };
        loop {
            if let Some(result) = ready.pop_front() {
                return Some((
                    result,
                    Span::Open {
                        response,
                        reader,
                        ready,
                    },
                ));
            }
            match self.chunk(&mut response).await {
                Err(error) => return last(error),
                Ok(None) => return last(self.car_error(&response, reader.finish().err()?)),
                Ok(Some(bytes)) => reader.push(&bytes),
            }
            loop {
                match reader.next_block() {
                    Ok(None) => break,
                    Ok(Some(block)) => ready.push_back(Ok(block)),
                    Err(error @ CarError::Block(_)) => ready.push_back(Err(self.car_error(&response, error))),
                    Err(error) => {
                        ready.push_back(Err(self.car_error(&response, error)));
                        let first = ready.pop_front()?;
                        return Some((first, Span::Ending(ready)));
                    }
                }
            }
        }
    }
}
