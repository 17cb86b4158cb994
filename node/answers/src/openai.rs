//! OpenAI's API at the edge: HTTP requests in, bytes out. Here alone an answer becomes text, and here alone the text of
//! other servers becomes an answer.

pub(crate) mod foreign;
mod models;
mod reader;
mod serve;
mod write;

pub use models::{ModelItem, ModelList};
pub use reader::ChunkReader;
pub(crate) use reader::too_large;
pub use serve::{HttpAnswer, HttpBody, read, serve, written};
pub(crate) use write::logprobs;
pub use write::{Writer, whole};
