//! What one line of the table of operations is made of.

use std::borrow::Cow;

use utoipa::{
    ToSchema,
    openapi::{HttpMethod, RefOr, schema::Schema},
};

/// A type with its schema and those it refers to.
#[derive(Clone, Copy)]
pub(crate) struct TypeOf {
    pub(crate) name: fn() -> Cow<'static, str>,
    pub(crate) schema: fn() -> RefOr<Schema>,
    pub(crate) collect: fn(&mut Vec<(String, RefOr<Schema>)>),
}

fn type_of<T: ToSchema>() -> TypeOf {
    TypeOf {
        name: T::name,
        schema: T::schema,
        collect: T::schemas,
    }
}

/// What an operation answers when all is well.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// 200 with this type as JSON.
    Json(TypeOf),
    /// 202 with this type: it was started, and events tell the rest.
    Accepted(TypeOf),
    /// 204.
    Nothing,
    /// Server-sent events whose `data` is this type.
    Stream(TypeOf),
    /// A JSON document without a type of ours.
    Document,
    /// A table as CSV.
    Table,
    /// Plain text.
    Text,
}

/// What an operation takes.
#[derive(Clone, Copy)]
pub(crate) enum Taken {
    /// This type as JSON.
    Json(TypeOf),
    /// The bytes of a file.
    Bytes,
}

/// A parameter in the query.
#[derive(Clone, Copy)]
pub(crate) struct Query {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) is_number: bool,
}

/// One line of the table.
#[derive(Clone, Copy)]
pub(crate) struct Spec {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) query: &'static [Query],
    pub(crate) body: Option<Taken>,
    pub(crate) answer: Answer,
}

/// The methods that the control API uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl From<Method> for HttpMethod {
    fn from(method: Method) -> HttpMethod {
        match method {
            Method::Get => HttpMethod::Get,
            Method::Post => HttpMethod::Post,
            Method::Put => HttpMethod::Put,
            Method::Patch => HttpMethod::Patch,
            Method::Delete => HttpMethod::Delete,
        }
    }
}

pub(super) const SEARCH: Query = Query {
    name: "q",
    description: "Only those whose title or messages have these words.",
    is_number: false,
};
pub(super) const LIMIT: Query = Query {
    name: "limit",
    description: "How many at most; 50 unless told, 500 at most.",
    is_number: true,
};
pub(super) const SUPPLIER: Query = Query {
    name: "supplier",
    description: "The operator of one of this node's suppliers, where it has several.",
    is_number: false,
};
pub(super) const OFFSET: Query = Query {
    name: "offset",
    description: "How many to leave out at the start.",
    is_number: true,
};

pub(super) const DAYS: Query = Query {
    name: "days",
    description: "How many days, today included; 30 unless told, 400 at most.",
    is_number: true,
};
pub(super) const ASKER: Query = Query {
    name: "asker",
    description: "Only what this one asked: the id of a key, owner or local.",
    is_number: false,
};

pub(super) const ARCHIVED: Query = Query {
    name: "archived",
    description: "\"true\": only archived ones; \"false\": only the others, as without a search. A search without it finds both.",
    is_number: false,
};
pub(super) const FOLDER: Query = Query {
    name: "folder",
    description: "Only those in this folder.",
    is_number: false,
};
pub(super) const FORMAT: Query = Query {
    name: "format",
    description: "\"json\", unless told, or \"md\".",
    is_number: false,
};
pub(super) const NAME: Query = Query {
    name: "name",
    description: "What the file is called.",
    is_number: false,
};
pub(super) const MODEL: Query = Query {
    name: "model",
    description: "The model to name; the first that can be asked unless told.",
    is_number: false,
};
pub(super) const ROOT: Query = Query {
    name: "root",
    description: "Under which address the node is reached, as http://hearth.lan:4327; that of this computer unless told.",
    is_number: false,
};

pub(super) const TEXT: Query = Query {
    name: "q",
    description: "Only those whose label, memo, counterparty, its name, or transaction have these words.",
    is_number: false,
};
pub(super) const CODED: Query = Query {
    name: "text",
    description: "What the code says; 300 bytes at most.",
    is_number: false,
};
pub(super) const KINDS: Query = Query {
    name: "kinds",
    description: "Only these kinds, apart by commas, as \"sent,received\".",
    is_number: false,
};
pub(super) const SINCE: Query = Query {
    name: "since",
    description: "Only from this moment on, RFC 3339. What has no known time is left out then.",
    is_number: false,
};
pub(super) const UNTIL: Query = Query {
    name: "until",
    description: "Only before this moment, RFC 3339.",
    is_number: false,
};

impl Spec {
    pub(super) const fn new(
        method: Method,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
    ) -> Spec {
        Spec {
            method,
            path,
            id,
            summary,
            query: &[],
            body: None,
            answer: Answer::Nothing,
        }
    }

    pub(super) fn takes<T: ToSchema>(self) -> Spec {
        Spec {
            body: Some(Taken::Json(type_of::<T>())),
            ..self
        }
    }

    pub(super) const fn takes_bytes(self) -> Spec {
        Spec {
            body: Some(Taken::Bytes),
            ..self
        }
    }

    pub(super) fn gives<T: ToSchema>(self) -> Spec {
        Spec {
            answer: Answer::Json(type_of::<T>()),
            ..self
        }
    }

    pub(super) fn accepts<T: ToSchema>(self) -> Spec {
        Spec {
            answer: Answer::Accepted(type_of::<T>()),
            ..self
        }
    }

    pub(super) fn streams<T: ToSchema>(self) -> Spec {
        Spec {
            answer: Answer::Stream(type_of::<T>()),
            ..self
        }
    }

    pub(super) const fn asks(self, query: &'static [Query]) -> Spec {
        Spec { query, ..self }
    }
}
