//! CARv1: a stream of content blocks.
//!
//! `varint(length) dag-cbor{roots, version: 1}`, then `varint(length) CID bytes` again and again. The reader takes
//! bytes as they come, hashes every block before it hands it on, and bounds every length before it makes room.

use bytes::{Buf, Bytes, BytesMut};
use cid::Cid;
use serde::{Deserialize, Serialize};

use crate::{
    block::{Block, BlockError, MAX_BLOCK_BYTES, MAX_CID_BYTES},
    varint::{self, Varint},
};

/// The longest header: hundreds of roots. Trustless gateways send one root.
const MAX_HEADER_BYTES: usize = 32 * 1024;

/// Why bytes are no CAR.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CarError {
    #[error("the header is {0} bytes long; at most {MAX_HEADER_BYTES} are read")]
    HeaderLength(u64),
    #[error("the header is no dag-cbor map of roots and version")]
    Header,
    #[error("version {0} is unknown; only version 1 is read")]
    Version(u64),
    #[error("a section is {0} bytes long, which no block with its CID is")]
    SectionLength(u64),
    #[error("a length is no integer")]
    Length,
    #[error("a section does not begin with a CID")]
    Cid,
    #[error("a block is not what its CID says")]
    Block(#[from] BlockError),
    #[error("the file ends inside a {0}: the connection was cut")]
    Torn(&'static str),
}

#[derive(Serialize, Deserialize)]
struct Header {
    roots: Vec<Cid>,
    version: u64,
}

/// Reads a CAR piece by piece.
#[derive(Debug, Default)]
pub struct CarReader {
    buffer: BytesMut,
    header_is_read: bool,
}

impl CarReader {
    /// Begins before the header.
    #[must_use]
    pub fn new() -> CarReader {
        CarReader::default()
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next block, or `None` until more bytes are pushed.
    ///
    /// # Errors
    /// Bytes that are no CAR, and blocks that do not have their hash. After an error the reader is of no use,
    /// except after [`CarError::Block`]: the bad block is skipped.
    pub fn next_block(&mut self) -> Result<Option<Block>, CarError> {
        if !self.header_is_read {
            let Some(header) = self.section(MAX_HEADER_BYTES as u64, CarError::HeaderLength)? else {
                return Ok(None);
            };
            let header: Header = serde_ipld_dagcbor::from_slice(&header).map_err(|_| CarError::Header)?;
            if header.version != 1 {
                return Err(CarError::Version(header.version));
            }
            self.header_is_read = true;
        }
        let longest = (MAX_BLOCK_BYTES + MAX_CID_BYTES) as u64;
        let Some(section) = self.section(longest, CarError::SectionLength)? else {
            return Ok(None);
        };
        let mut rest = section.as_ref();
        let cid = Cid::read_bytes(&mut rest).map_err(|_| CarError::Cid)?;
        let bytes = section.slice(section.len() - rest.len()..);
        Ok(Some(Block::verify(cid, bytes)?))
    }

    /// Says whether the stream ended between two sections.
    ///
    /// # Errors
    /// A stream that was cut off. Whether all wanted blocks came is for the caller to see: a gateway ends a CAR
    /// cleanly also where it has no more to give.
    pub fn finish(&self) -> Result<(), CarError> {
        match (self.header_is_read, self.buffer.is_empty()) {
            (true, true) => Ok(()),
            (false, _) => Err(CarError::Torn("header")),
            (true, false) => Err(CarError::Torn("section")),
        }
    }

    fn section(&mut self, longest: u64, too_long: fn(u64) -> CarError) -> Result<Option<Bytes>, CarError> {
        let (length, prefix) = match varint::read(&self.buffer) {
            Varint::Value(length, prefix) => (length, prefix),
            Varint::Short => return Ok(None),
            Varint::TooLong => return Err(CarError::Length),
        };
        if length == 0 || length > longest {
            return Err(too_long(length));
        }
        let length = length as usize;
        if self.buffer.len() < prefix + length {
            self.buffer.reserve(prefix + length - self.buffer.len());
            return Ok(None);
        }
        self.buffer.advance(prefix);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }
}

/// The head of a CAR with one root.
#[must_use]
pub(crate) fn header(root: Cid) -> Vec<u8> {
    let header = Header {
        roots: vec![root],
        version: 1,
    };
    // A map of a list of CIDs and a number has no part that could fail.
    let bytes = serde_ipld_dagcbor::to_vec(&header).unwrap_or_default();
    let mut car = Vec::with_capacity(bytes.len() + 1);
    varint::write(bytes.len() as u64, &mut car);
    car.extend_from_slice(&bytes);
    car
}

/// What stands before the bytes of a block.
#[must_use]
pub(crate) fn section_head(block: &Block) -> Vec<u8> {
    let cid = block.cid().to_bytes();
    let mut head = Vec::with_capacity(cid.len() + 4);
    varint::write((cid.len() + block.bytes().len()) as u64, &mut head);
    head.extend_from_slice(&cid);
    head
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::block::RAW;

    fn car_of(blocks: &[Block]) -> Vec<u8> {
        let mut car = header(*blocks[0].cid());
        for block in blocks {
            car.extend(section_head(block));
            car.extend_from_slice(block.bytes());
        }
        car
    }

    fn read(car: &[u8], step: usize) -> Result<Vec<Block>, CarError> {
        let mut reader = CarReader::new();
        let mut blocks = Vec::new();
        for part in car.chunks(step.max(1)) {
            reader.push(part);
            while let Some(block) = reader.next_block()? {
                blocks.push(block);
            }
        }
        reader.finish()?;
        Ok(blocks)
    }

    fn block(seed: &[u8]) -> Block {
        Block::new(cid::Version::V1, RAW, Bytes::copy_from_slice(seed))
    }

    proptest! {
        #[test]
        fn blocks_arrive_however_the_stream_is_cut(seeds in proptest::collection::vec(any::<Vec<u8>>(), 1..6), step in 1_usize..99) {
            let blocks: Vec<_> = seeds.iter().map(|seed| block(seed)).collect();
            prop_assert_eq!(read(&car_of(&blocks), step), Ok(blocks));
        }

        #[test]
        fn a_flipped_bit_never_gives_other_blocks(at in 0_usize..200, bit in 0_u8..8) {
            let blocks = [block(b"one"), block(b"two"), block(&[7; 60])];
            let mut car = car_of(&blocks);
            let at = at % car.len();
            car[at] ^= 1 << bit;
            if let Ok(found) = read(&car, 7) {
                // A flip in the header's root, or one that turns a hash into another that is not checked, is no
                // lie about bytes: each block still has its own hash.
                for block in found {
                    prop_assert!(Block::verify(*block.cid(), block.bytes().clone()).is_ok());
                }
            }
        }

        #[test]
        fn rubbish_is_refused_or_read_but_never_a_panic(bytes: Vec<u8>) {
            let _ = read(&bytes, 16);
        }
    }

    #[tokio::test]
    async fn another_implementation_reads_the_same() {
        let blocks = [block(b"one"), block(b""), block(&[7; 70_000])];
        let car = car_of(&blocks);
        let reader = iroh_car::CarReader::new(car.as_slice()).await.unwrap();
        assert_eq!(reader.header().roots(), [*blocks[0].cid()]);
        let found: Vec<_> = futures::TryStreamExt::try_collect(reader.stream()).await.unwrap();
        let wanted: Vec<_> = blocks
            .iter()
            .map(|block| (*block.cid(), block.bytes().to_vec()))
            .collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn every_cut_is_noticed() {
        let car = car_of(&[block(b"one"), block(b"two")]);
        let section = 1 + 36 + 3;
        for end in 0..car.len() {
            let is_between = end == car.len() - section || end == car.len() - 2 * section;
            assert_eq!(read(&car[..end], 9).is_ok(), is_between, "{end}");
        }
    }

    #[test]
    fn lengths_are_bounded_before_room_is_made() {
        let mut long_header = Vec::new();
        varint::write(u64::MAX, &mut long_header);
        assert_eq!(read(&long_header, 99), Err(CarError::HeaderLength(u64::MAX)));
        let mut long_section = header(*block(b"x").cid());
        varint::write(1 << 40, &mut long_section);
        assert_eq!(read(&long_section, 99), Err(CarError::SectionLength(1 << 40)));
        let deep = [[0x81; 9000].as_slice(), &[0x80]].concat();
        let mut deep_header = Vec::new();
        varint::write(deep.len() as u64, &mut deep_header);
        deep_header.extend(deep);
        assert_eq!(read(&deep_header, 4096), Err(CarError::Header));
    }
}
