//! Protobuf messages of the relay path and of the chain, with the field numbers of the `.proto` files.
//!
//! The tables below read like those files: `number name: type;`. What the types become:
//!
//! | in the table | field | on the wire |
//! |---|---|---|
//! | `string`, `bytes`, `u64`, … | plain | left out when it is the default |
//! | `data` | [`bytes::Bytes`] | as `bytes`; decoding a `Bytes` does not copy it |
//! | `opt_bytes` | `Option<Vec<u8>>` | present when `Some`, also when empty |
//! | `message(T)` | `Option<T>` | present when `Some`, also when empty |
//! | `always(T)` | `T` | always present: gogoproto's non-nullable, which hashes depend on |
//! | `list(T)`, `strings`, `blobs` | `Vec` | one entry each |
//! | `enumeration("E")` | `i32` | left out when 0 |
//!
//! Every message also has the JSON form of the chain's own tools: 64-bit numbers as text, bytes as base64,
//! enums by name, absent messages as `null`.

pub mod application;
pub mod cosmos;
pub mod gateway;
mod json;
pub mod migration;
pub mod proof;
mod registry;
pub mod relay;
pub mod service;
pub mod session;
pub mod shared;
pub mod supplier;
pub mod tokenomics;

pub use cosmos::{Any, Coin, Timestamp};
pub use registry::unknown_type;

/// A message with a name that the chain knows, so that it can travel in an [`Any`].
pub trait TypeUrl: prost::Message + Default {
    /// The name with a slash before it: `/pocket.proof.MsgCreateClaim`.
    const TYPE_URL: &'static str;

    /// The message in an [`Any`].
    fn to_any(&self) -> Any
    where
        Self: Sized,
    {
        Any {
            type_url: Self::TYPE_URL.to_owned(),
            value: self.encode_to_vec(),
        }
    }
}

/// Defines messages of one package.
macro_rules! messages {
    ($package:literal; $( $(#[$meta:meta])* $name:ident { $($body:tt)* } )*) => {
        $( $crate::message::message!(@field [$(#[$meta])* $name] {} $($body)*);
           impl $crate::message::TypeUrl for $name {
               const TYPE_URL: &'static str = concat!("/", $package, ".", stringify!($name));
           }
        )*
    };
}

/// Turns one table into a struct, a field at a time.
macro_rules! message {
    (@field [$(#[$meta:meta])* $name:ident] {$($done:tt)*}) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub struct $name { $($done)* }
    };
    (@field $head:tt {$($done:tt)*} $tag:tt $(#[$m:meta])* $field:ident: string; $($rest:tt)*) => {
        $crate::message::message!(@field $head {$($done)* $(#[$m])* #[prost(string, tag = $tag)] pub $field: String,} $($rest)*);
    };
    (@field $head:tt {$($done:tt)*} $tag:tt $(#[$m:meta])* $field:ident: bytes; $($rest:tt)*) => {
        $crate::message::message!(@field $head {$($done)* $(#[$m])* #[prost(bytes = "vec", tag = $tag)]
            #[serde(with = "crate::message::json::base64")] pub $field: Vec<u8>,} $($rest)*);
    };
    (@field $head:tt {$($done:tt)*} $tag:tt $(#[$m:meta])* $field:ident: data; $($rest:tt)*) => {
        $crate::message::message!(@field $head {$($done)* $(#[$m])* #[prost(bytes = "bytes", tag = $tag)]
            #[serde(with = "crate::message::json::base64")] pub $field: bytes::Bytes,} $($rest)*);
    };
    (@field $head:tt {$($done:tt)*} $tag:tt $(#[$m:meta])* $field:ident: opt_bytes; $($rest:tt)*) => {
        $crate::message::message!(@field $head {$($done)* $(#[$m])* #[prost(bytes = "vec", optional, tag = $tag)]
            #[serde(with = "crate::message::json::base64_option")] pub $field: Option<Vec<u8>>,} $($rest)*);
    };
    (@field $head:tt {$($done:tt)*} $tag:tt $(#[$m:meta])* $field:ident: u64; $($rest:tt)*) => {
        $crate::message::message!(@field $head {$($done)* $(#[$m])* #[prost(uint64, tag = $tag)]
            #[serde(with = "crate::message::json::number")] pub $field: u64,} $($rest)*);
    };
    (@field $head:tt {$($done:tt)*} $tag:tt $(#[$m:meta])* $field:ident: i64; $($rest:tt)*) => {
        $crate::message::message!(@field $head {$($done)* $(#[$m])* #[prost(int64, tag = $tag)]
            #[serde(with = "crate::message::json::number")] pub $field: i64,} $($rest)*);
    };
    (@field $head:tt {$($done:tt)*} $tag:tt $(#[$m:meta])* $field:ident: u32; $($rest:tt)*) => {
        $crate::message::message!(@field $head {$($done)* $(#[$m])* #[prost(uint32, tag = $tag)] pub $field: u32,} $($rest)*);
    };
    (@field $head:tt {$($done:tt)*} $tag:tt $(#[$m:meta])* $field:ident: i32; $($rest:tt)*) => {
        $crate::message::message!(@field $head {$($done)* $(#[$m])* #[prost(int32, tag = $tag)] pub $field: i32,} $($rest)*);
    };
    (@field $head:tt {$($done:tt)*} $tag:tt $(#[$m:meta])* $field:ident: bool; $($rest:tt)*) => {
        $crate::message::message!(@field $head {$($done)* $(#[$m])* #[prost(bool, tag = $tag)] pub $field: bool,} $($rest)*);
    };
    (@field $head:tt {$($done:tt)*} $tag:tt $(#[$m:meta])* $field:ident: double; $($rest:tt)*) => {
        $crate::message::message!(@field $head {$($done)* $(#[$m])* #[prost(double, tag = $tag)] pub $field: f64,} $($rest)*);
    };
    (@field $head:tt {$($done:tt)*} $tag:tt $(#[$m:meta])* $field:ident: strings; $($rest:tt)*) => {
        $crate::message::message!(@field $head {$($done)* $(#[$m])* #[prost(string, repeated, tag = $tag)]
            pub $field: Vec<String>,} $($rest)*);
    };
    (@field $head:tt {$($done:tt)*} $tag:tt $(#[$m:meta])* $field:ident: blobs; $($rest:tt)*) => {
        $crate::message::message!(@field $head {$($done)* $(#[$m])* #[prost(bytes = "vec", repeated, tag = $tag)]
            #[serde(with = "crate::message::json::base64_list")] pub $field: Vec<Vec<u8>>,} $($rest)*);
    };
    (@field $head:tt {$($done:tt)*} $tag:tt $(#[$m:meta])* $field:ident: message($type:ty); $($rest:tt)*) => {
        $crate::message::message!(@field $head {$($done)* $(#[$m])* #[prost(message, optional, tag = $tag)]
            pub $field: Option<$type>,} $($rest)*);
    };
    (@field $head:tt {$($done:tt)*} $tag:tt $(#[$m:meta])* $field:ident: always($type:ty); $($rest:tt)*) => {
        $crate::message::message!(@field $head {$($done)* $(#[$m])* #[prost(message, required, tag = $tag)]
            pub $field: $type,} $($rest)*);
    };
    (@field $head:tt {$($done:tt)*} $tag:tt $(#[$m:meta])* $field:ident: list($type:ty); $($rest:tt)*) => {
        $crate::message::message!(@field $head {$($done)* $(#[$m])* #[prost(message, repeated, tag = $tag)]
            #[serde(deserialize_with = "crate::message::json::null_as_default")] pub $field: Vec<$type>,} $($rest)*);
    };
    (@field $head:tt {$($done:tt)*} $tag:tt $(#[$m:meta])* $field:ident: map_u64($type:ty); $($rest:tt)*) => {
        $crate::message::message!(@field $head {$($done)* $(#[$m])* #[prost(btree_map = "uint64, message", tag = $tag)]
            pub $field: std::collections::BTreeMap<u64, $type>,} $($rest)*);
    };
    (@field $head:tt {$($done:tt)*} $tag:tt $(#[$m:meta])* $field:ident: map_text; $($rest:tt)*) => {
        $crate::message::message!(@field $head {$($done)* $(#[$m])* #[prost(btree_map = "string, string", tag = $tag)]
            pub $field: std::collections::BTreeMap<String, String>,} $($rest)*);
    };
    (@field $head:tt {$($done:tt)*} $tag:tt $(#[$m:meta])* $field:ident: enumeration($type:tt); $($rest:tt)*) => {
        $crate::message::message!(@field $head {$($done)* $(#[$m])* #[prost(enumeration = $type, tag = $tag)]
            #[serde(with = $type)] pub $field: i32,} $($rest)*);
    };
}

/// Defines an enum whose variants also have the names of the `.proto` file.
macro_rules! enumeration {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $number:literal $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
        #[repr(i32)]
        pub enum $name { $($(#[$vmeta])* $variant = $number,)* }

        impl $crate::message::ProtoEnum for $name {
            fn proto_name(number: i32) -> Option<&'static str> {
                match number { $($number => Some($text),)* _ => None }
            }

            fn from_proto_name(name: &str) -> Option<i32> {
                match name { $($text => Some($number),)* _ => None }
            }
        }

        /// For serde's `with`: a number in the message, a name in JSON.
        #[allow(dead_code, reason = "an enum may be in no message yet")]
        impl $name {
            pub(crate) fn serialize<S: serde::Serializer>(value: &i32, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::message::json::enum_name::<S, $name>(value, serializer)
            }

            pub(crate) fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
                $crate::message::json::enum_number::<D, $name>(deserializer)
            }
        }
    };
}

/// An enum with the names of the `.proto` file, as JSON shows it.
pub trait ProtoEnum {
    /// The name of a number, if it has one.
    fn proto_name(number: i32) -> Option<&'static str>;
    /// The number of a name, if it is one.
    fn from_proto_name(name: &str) -> Option<i32>;
}

pub(crate) use {enumeration, message, messages};

impl Any {
    /// The message inside, if it has the type asked for.
    ///
    /// # Errors
    /// Bytes that are no message of that type.
    pub fn unpack<T: TypeUrl>(&self) -> Option<Result<T, prost::DecodeError>> {
        (self.type_url == T::TYPE_URL).then(|| T::decode(self.value.as_slice()))
    }

    /// Who signs it: the first field of a message of Pocket, of bank and of authz. `None` where that is no text. Claims of
    /// the former network name the account that gets something first, and who signs later.
    #[must_use]
    pub fn signer(&self) -> Option<String> {
        if let Some(claim) = migration::MorseClaim::of(self) {
            return Some(claim.ok()?.signing_address().to_owned());
        }
        #[derive(Clone, PartialEq, prost::Message)]
        struct FirstField {
            #[prost(string, tag = "1")]
            signer: String,
        }
        <FirstField as prost::Message>::decode(self.value.as_slice())
            .ok()
            .map(|first| first.signer)
    }
}
