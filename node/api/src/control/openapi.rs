//! The OpenAPI document of the control API, made from the table of operations.

use utoipa::{
    ToSchema,
    openapi::{
        ComponentsBuilder, Content, ContentBuilder, InfoBuilder, KnownFormat, ObjectBuilder, OpenApi,
        OpenApiBuilder, Paths, Ref, RefOr, Required, Response, ResponseBuilder, SchemaFormat, ServerBuilder,
        Type,
        path::{
            Operation as PathOperation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem,
        },
        request_body::RequestBodyBuilder,
        schema::Schema,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::{
    operation::Operation,
    spec::{Answer, Spec, Taken, TypeOf},
    types::ErrorBody,
};

/// Where the control API lies.
pub const PREFIX: &str = "/api/v1";

/// The document as a value.
#[must_use]
pub fn document() -> OpenApi {
    let mut paths = Paths::new();
    let mut schemas = Vec::new();
    collect::<ErrorBody>(&mut schemas);
    for operation in Operation::ALL {
        let spec = operation.spec();
        for of in types_of(&spec) {
            (of.collect)(&mut schemas);
            schemas.push(((of.name)().into_owned(), (of.schema)()));
        }
        let method = utoipa::openapi::HttpMethod::from(spec.method);
        match paths.paths.get_mut(spec.path) {
            Some(item) => item.merge_operations(PathItem::new(method, path_operation(&spec))),
            None => {
                paths
                    .paths
                    .insert(spec.path.to_owned(), PathItem::new(method, path_operation(&spec)));
            }
        }
    }
    schemas.sort_by(|one, other| one.0.cmp(&other.0));
    schemas.dedup_by(|one, other| one.0 == other.0);
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Hearth control API")
                .version("1")
                .description(Some(
                    "Amounts are decimal strings of upokt, times RFC 3339 in UTC, heights numbers. Every error is an ErrorBody.",
                ))
                .build(),
        )
        .servers(Some([ServerBuilder::new().url(PREFIX).build()]))
        .security(Some([SecurityRequirement::new::<_, [&str; 0], &str>("token", []), SecurityRequirement::new::<_, [&str; 0], &str>("cookie", []).add::<_, [&str; 0], &str>("page", [])]))
        .components(Some(
            ComponentsBuilder::new()
                .schemas_from_iter(schemas)
                .security_scheme("token", SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()))
                .security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
                    "hearth_session",
                    "The cookie of a sign-in; the port follows its name. It counts together with the key of its page alone.",
                ))))
                .security_scheme("page", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
                    "X-Hearth-Page",
                    "The page_key that the sign-in gave. Browsers send a cookie to all ports of a host, this key to none but ours.",
                ))))
                .build(),
        ))
        .paths(paths)
        .build()
}

/// The document as it is committed in `ui/openapi.json`.
///
/// # Errors
/// Never for this document; the type is serde's.
pub fn document_text() -> Result<String, serde_json::Error> {
    document().to_pretty_json().map(|text| text + "\n")
}

fn collect<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    T::schemas(schemas);
    schemas.push((T::name().into_owned(), T::schema()));
}

fn types_of(spec: &Spec) -> impl Iterator<Item = TypeOf> {
    let answer = match spec.answer {
        Answer::Json(of) | Answer::Accepted(of) | Answer::Stream(of) => Some(of),
        Answer::Nothing | Answer::Document | Answer::Table | Answer::Text => None,
    };
    let body = match spec.body {
        Some(Taken::Json(of)) => Some(of),
        Some(Taken::Bytes) | None => None,
    };
    body.into_iter().chain(answer)
}

fn path_operation(spec: &Spec) -> PathOperation {
    let tag = spec.path.split('/').nth(1).unwrap_or_default();
    let mut operation = OperationBuilder::new()
        .operation_id(Some(spec.id))
        .summary(Some(spec.summary))
        .tag(tag)
        .response(answer_status(spec), answer(spec))
        .response("default", refers_to("An error.", "application/json", "ErrorBody"));
    for name in path_parameters(spec.path) {
        operation = operation.parameter(parameter(name, ParameterIn::Path, None, false));
    }
    for query in spec.query {
        operation = operation.parameter(parameter(
            query.name,
            ParameterIn::Query,
            Some(query.description),
            query.is_number,
        ));
    }
    if let Some(body) = spec.body {
        let (media_type, content) = match body {
            Taken::Json(of) => ("application/json", content(&(of.name)())),
            Taken::Bytes => ("application/octet-stream", bytes()),
        };
        let body = RequestBodyBuilder::new()
            .required(Some(Required::True))
            .content(media_type, content)
            .build();
        operation = operation.request_body(Some(body));
    }
    operation.build()
}

fn answer_status(spec: &Spec) -> &'static str {
    match spec.answer {
        Answer::Json(_) | Answer::Stream(_) | Answer::Document | Answer::Table | Answer::Text => "200",
        Answer::Accepted(_) => "202",
        Answer::Nothing => "204",
    }
}

fn answer(spec: &Spec) -> Response {
    match spec.answer {
        Answer::Json(of) | Answer::Accepted(of) => refers_to("Done.", "application/json", &(of.name)()),
        Answer::Stream(of) => refers_to("Server-sent events.", "text/event-stream", &(of.name)()),
        Answer::Document => ResponseBuilder::new()
            .description("Done.")
            .content(
                "application/json",
                ContentBuilder::new()
                    .schema(Some(ObjectBuilder::new().build()))
                    .build(),
            )
            .build(),
        Answer::Table => text("text/csv"),
        Answer::Text => text("text/plain"),
        Answer::Nothing => Response::new("Done."),
    }
}

fn text(media_type: &str) -> Response {
    let schema = ObjectBuilder::new().schema_type(Type::String).build();
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new()
        .description("Done.")
        .content(media_type, content)
        .build()
}

/// The bytes of a file.
fn bytes() -> Content {
    let binary = SchemaFormat::KnownFormat(KnownFormat::Binary);
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(binary));
    ContentBuilder::new().schema(Some(schema.build())).build()
}

fn refers_to(description: &str, media_type: &str, name: &str) -> Response {
    ResponseBuilder::new()
        .description(description)
        .content(media_type, content(name))
        .build()
}

fn content(name: &str) -> Content {
    Content::new(Some(Ref::from_schema_name(name)))
}

fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn parameter(name: &str, place: ParameterIn, description: Option<&str>, is_number: bool) -> Parameter {
    let required = if place == ParameterIn::Path {
        Required::True
    } else {
        Required::False
    };
    let of = if is_number { Type::Integer } else { Type::String };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description(description)
        .schema(Some(ObjectBuilder::new().schema_type(of).build()))
        .build()
}
