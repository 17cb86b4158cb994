//! dag-pb nodes: links and data in protobuf, written by hand since the CID depends on each byte.
//!
//! A derived encoder would write `Data` (field 1) before `Links` (field 2), and another CID would come out.

use bytes::Bytes;
use cid::Cid;

use super::proto::{self, Field, ProtoError};
use crate::block::MAX_CID_BYTES;

/// A named edge to another block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) cid: Cid,
    /// Absent and empty are written differently.
    pub(crate) name: Option<String>,
    /// Bytes of all blocks below, each counted as often as it is linked. Foreign ones are a hint, no fact.
    pub(crate) tsize: Option<u64>,
}

/// A decoded node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) links: Vec<Link>,
    pub(crate) data: Option<Bytes>,
    /// Where `data` begins in the block.
    pub(crate) data_at: usize,
}

/// Why bytes are no dag-pb node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DagPbError {
    #[error("no protobuf")]
    Proto(#[from] ProtoError),
    #[error("field {0} is none of a node")]
    NodeField(u64),
    #[error("field {0} is none of a link")]
    LinkField(u64),
    #[error("field {0} comes twice or out of order")]
    Order(u64),
    #[error("a link has no CID or one that cannot be read")]
    LinkCid,
    #[error("the name of a link is no UTF-8")]
    LinkName,
}

/// Writes a node: links, then data.
pub(crate) fn encode(links: &[Link], data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(links.len() * 56 + data.len() + 8);
    let mut link_bytes = Vec::with_capacity(64);
    for link in links {
        link_bytes.clear();
        proto::write_bytes(1, &link.cid.to_bytes(), &mut link_bytes);
        if let Some(name) = &link.name {
            proto::write_bytes(2, name.as_bytes(), &mut link_bytes);
        }
        if let Some(tsize) = link.tsize {
            proto::write_varint(3, tsize, &mut link_bytes);
        }
        proto::write_bytes(2, &link_bytes, &mut bytes);
    }
    proto::write_bytes(1, data, &mut bytes);
    bytes
}

/// Reads a node. Data before links is read too, links on both sides of data are not.
pub(crate) fn decode(block: &Bytes) -> Result<Node, DagPbError> {
    let mut node = Node::default();
    let mut links_are_over = false;
    for field in proto::fields(block) {
        match field? {
            (2, Field::Bytes(range)) => {
                if links_are_over {
                    return Err(DagPbError::Order(2));
                }
                node.links.push(decode_link(&block.slice(range))?);
            }
            (1, Field::Bytes(range)) => {
                if node.data.is_some() {
                    return Err(DagPbError::Order(1));
                }
                links_are_over = !node.links.is_empty();
                node.data_at = range.start;
                node.data = Some(block.slice(range));
            }
            (number, Field::Bytes(_) | Field::Varint(_) | Field::Fixed) => {
                return Err(DagPbError::NodeField(number));
            }
        }
    }
    Ok(node)
}

fn decode_link(bytes: &Bytes) -> Result<Link, DagPbError> {
    let mut cid = None;
    let mut link_name = None;
    let mut tsize = None;
    let mut last = 0;
    for field in proto::fields(bytes) {
        let (number, value) = field?;
        if number <= last {
            return Err(DagPbError::Order(number));
        }
        last = number;
        match (number, value) {
            (1, Field::Bytes(range)) => cid = Some(whole_cid(&bytes[range]).ok_or(DagPbError::LinkCid)?),
            (2, Field::Bytes(range)) => {
                let text = std::str::from_utf8(&bytes[range]).map_err(|_| DagPbError::LinkName)?;
                link_name = Some(text.to_owned());
            }
            (3, Field::Varint(size)) => tsize = Some(size),
            (number, Field::Bytes(_) | Field::Varint(_) | Field::Fixed) => {
                return Err(DagPbError::LinkField(number));
            }
        }
    }
    Ok(Link {
        cid: cid.ok_or(DagPbError::LinkCid)?,
        name: link_name,
        tsize,
    })
}

/// A CID that takes the whole of `bytes`.
fn whole_cid(bytes: &[u8]) -> Option<Cid> {
    if bytes.len() > MAX_CID_BYTES {
        return None;
    }
    let mut rest = bytes;
    let cid = Cid::read_bytes(&mut rest).ok()?;
    rest.is_empty().then_some(cid)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::block::{DAG_PB, RAW, sha256, sha256_cid};

    fn link() -> impl Strategy<Value = Link> {
        (
            any::<[u8; 4]>(),
            any::<bool>(),
            proptest::option::of(".{0,9}"),
            proptest::option::of(any::<u64>()),
        )
            .prop_map(|(seed, old, name, tsize)| {
                let (version, codec) = if old {
                    (cid::Version::V0, DAG_PB)
                } else {
                    (cid::Version::V1, RAW)
                };
                Link {
                    cid: sha256_cid(version, codec, sha256(&seed)),
                    name,
                    tsize,
                }
            })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(links in proptest::collection::vec(link(), 0..5), data: Vec<u8>) {
            let bytes = Bytes::from(encode(&links, &data));
            let node = decode(&bytes).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(&bytes[node.data_at..node.data_at + data.len()], data.as_slice());
            prop_assert_eq!(node.data.as_deref(), Some(data.as_slice()));
            prop_assert_eq!(node.links, links);
        }

        #[test]
        fn another_implementation_reads_the_same(links in proptest::collection::vec(link(), 0..5), data: Vec<u8>) {
            // That one sorts links by name when it writes, so only its reader is asked.
            let theirs = ipld_dagpb::PbNode::from_bytes(Bytes::from(encode(&links, &data)));
            let theirs = theirs.map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(theirs.data.as_deref(), Some(data.as_slice()));
            let theirs: Vec<_> = theirs.links.into_iter().map(|link| (link.cid, link.name, link.size)).collect();
            let ours: Vec<_> = links.into_iter().map(|link| (link.cid, link.name, link.tsize)).collect();
            prop_assert_eq!(theirs, ours);
        }

        #[test]
        fn rubbish_is_refused_or_read_but_never_a_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes.into());
        }
    }

    #[test]
    fn odd_nodes_are_refused() {
        let cases: [(&[u8], DagPbError); 4] = [
            (&[0x0a, 0, 0x0a, 0], DagPbError::Order(1)),
            (&[0x1a, 0], DagPbError::NodeField(3)),
            (&[0x12, 0], DagPbError::LinkCid),
            (&[0x0a, 5, 1], DagPbError::Proto(ProtoError::Short)),
        ];
        for (bytes, error) in cases {
            assert_eq!(decode(&Bytes::from_static(bytes)), Err(error));
        }
    }
}
