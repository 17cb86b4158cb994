//! Values of a GGUF header, and what can be wrong with one.

/// One value of the header.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    Texts(Vec<String>),
    Integers(Vec<i64>),
    Floats(Vec<f32>),
    Bools(Vec<bool>),
}

impl Value {
    pub(crate) fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Unsigned(value) => Some(*value),
            Self::Signed(value) => u64::try_from(*value).ok(),
            Self::Float(_) | Self::Bool(_) | Self::Text(_) => None,
            Self::Texts(_) | Self::Integers(_) | Self::Floats(_) | Self::Bools(_) => None,
        }
    }

    pub(crate) fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            Self::Unsigned(_) | Self::Signed(_) | Self::Bool(_) | Self::Text(_) => None,
            Self::Texts(_) | Self::Integers(_) | Self::Floats(_) | Self::Bools(_) => None,
        }
    }
}

/// What is wrong with a GGUF file.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GgufError {
    /// The first four bytes are others.
    #[error("it is not a GGUF file (it begins with {found:02x?}): choose another file")]
    NotGguf {
        /// What it begins with.
        found: Vec<u8>,
    },
    /// A version we do not read.
    #[error("its GGUF version is {version}; 2 and 3 are supported: convert it again with a current tool")]
    Version {
        /// As the file says.
        version: u32,
    },
    /// Numbers in the other order.
    #[error(
        "it was written for computers of the other byte order (big-endian): choose the usual file of this model"
    )]
    ByteOrder,
    /// One of several files of a model, and not the one that is wanted.
    #[error(
        "it is part {found} of {found_count} of a split model, where part {wanted} of {count} is wanted: fetch all \
         parts into one folder and add the first"
    )]
    Split {
        /// Which part it is, counted from 1.
        found: usize,
        /// How many it says there are.
        found_count: usize,
        /// Which part was wanted.
        wanted: usize,
        /// How many there should be.
        count: usize,
    },
    /// The file ends early.
    #[error("it ends early: {what} at byte {at} needs {need} bytes and {have} are left: fetch it again")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where.
        at: usize,
        /// How much it says it has.
        need: u64,
        /// How much there is.
        have: u64,
    },
    /// A count beyond any real file.
    #[error("its header names {count} {what}, more than {limit}: the file is damaged, fetch it again")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// As the file says.
        count: u64,
        /// Our limit.
        limit: u64,
    },
    /// A text that is not UTF-8.
    #[error("a text in its header, at byte {at}, is not UTF-8: the file is damaged, fetch it again")]
    NotUtf8 {
        /// Where.
        at: usize,
    },
    /// A value type that does not exist.
    #[error("the header value {key} has the unknown type {type_id}: the file is damaged, fetch it again")]
    UnknownValueType {
        /// Its key.
        key: String,
        /// As the file says.
        type_id: u32,
    },
    /// The same name twice.
    #[error("{name} appears twice in its header: the file is damaged, fetch it again")]
    Duplicate {
        /// Key or tensor.
        name: String,
    },
    /// A header value is missing.
    #[error("the header value {key} is missing: the file was made by an unfit tool, choose another")]
    MissingKey {
        /// Its key.
        key: String,
    },
    /// A header value is of no use.
    #[error("the header value {key} is {found}, expected {expected}: choose another file")]
    BadValue {
        /// Its key.
        key: String,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// A tensor is missing.
    #[error("the tensor {tensor} is missing: the file is incomplete, fetch it again")]
    MissingTensor {
        /// Its name.
        tensor: String,
    },
    /// A tensor has another shape than the header's figures say.
    #[error(
        "the tensor {tensor} has the shape {found:?}, expected {expected:?}: the file is damaged, fetch it again"
    )]
    TensorShape {
        /// Its name.
        tensor: String,
        /// As the file says.
        found: Vec<usize>,
        /// As the architecture needs.
        expected: Vec<usize>,
    },
    /// A tensor type without kernels.
    #[error("the tensor {tensor} has the type {dtype}, which is not supported: choose a file of {supported}")]
    UnsupportedType {
        /// Its name.
        tensor: String,
        /// Its type.
        dtype: String,
        /// Types that work.
        supported: &'static str,
    },
    /// A tensor whose rows are no chains of whole blocks.
    #[error(
        "the tensor {tensor} has rows of {columns} weights, which its type {dtype} cannot hold (blocks of {block}): \
         the file was made by an unfit tool, choose another"
    )]
    BadShape {
        /// Its name.
        tensor: String,
        /// Its type.
        dtype: &'static str,
        /// Weights in a row.
        columns: u64,
        /// Weights in a block of that type.
        block: usize,
    },
    /// Two tensors lie in the same bytes.
    #[error("the tensors {tensor} and {other} lie in the same bytes: the file is damaged, fetch it again")]
    Overlap {
        /// The name of one.
        tensor: String,
        /// The name of the other.
        other: String,
    },
    /// A weight is infinite or no figure at all.
    #[error(
        "the tensor {tensor} holds a weight that is no finite figure: the file is damaged, fetch it again"
    )]
    NotFinite {
        /// Its name.
        tensor: String,
    },
    /// A tensor reaches beyond the file.
    #[error(
        "the tensor {tensor} ends at byte {end} and the file has {size}: it is cut short, fetch it again"
    )]
    TensorOutside {
        /// Its name.
        tensor: String,
        /// Where it would end.
        end: u64,
        /// Size of the file.
        size: u64,
    },
}
