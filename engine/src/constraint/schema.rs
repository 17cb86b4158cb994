//! Looks a JSON schema over before it is compiled: what is not supported is named, what would take long or have no
//! end is refused, and what may be left out is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Levels of a schema, those behind its references counted where compiling follows them.
const MAX_DEPTH: usize = 256;
/// Schemas in it once references in `oneOf` are written out.
const MAX_SCHEMAS: usize = 20_000;
/// References to different places.
const MAX_REFERENCES: usize = 2_000;
/// Ways in which alternatives that must hold together can be combined.
const MAX_COMBINATIONS: u64 = 4_096;
/// Alternatives of one `oneOf`, each of which is compared with each.
const MAX_ONE_OF: usize = 256;
/// `patternProperties` of one object, each of which is compared with each.
const MAX_PATTERN_PROPERTIES: usize = 8;
/// The largest number that others must be multiples of, its point left out, and the least common multiple of all of
/// them, since several may hold for one number: the parser has a state for each remainder, and makes a million of them in
/// some 15 seconds.
const MAX_MULTIPLE: u64 = 20_000;
/// The same for all of them together.
const MAX_MULTIPLES: u64 = 40_000;

/// Keywords whose value is a schema.
const ONE: [&str; 3] = ["additionalProperties", "additionalItems", "items"];
/// Keywords whose value is a list of schemas; `items` may have one, too.
const LIST: [&str; 5] = ["prefixItems", "items", "allOf", "anyOf", "oneOf"];
/// Keywords whose value has schemas by name.
const NAMED: [&str; 4] = ["properties", "patternProperties", "$defs", "definitions"];
/// Keywords that constrain and that grammars cannot express.
const UNSUPPORTED: [&str; 18] = [
    "not",
    "if",
    "then",
    "else",
    "contains",
    "minContains",
    "maxContains",
    "uniqueItems",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "$dynamicRef",
    "$dynamicAnchor",
    "$recursiveRef",
    "$recursiveAnchor",
];
/// Formats of strings that grammars express. Others are remarks, as the standard has it.
const FORMATS: [&str; 10] = [
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "uuid",
    "uri",
];

/// Gives the schema as it is compiled, or says in plain words why it cannot be.
pub(super) fn checked(schema: &Value, max_bytes: usize) -> Result<Value, String> {
    check_depth(schema)?;
    let n_bytes = serde_json::to_vec(schema).map_or(usize::MAX, |text| text.len());
    if n_bytes > max_bytes {
        return Err(format!("the schema has {n_bytes} bytes and may have {max_bytes}"));
    }
    let mut rewriting = Rewriting {
        root: schema,
        within: Vec::new(),
        n_schemas: 0,
        multiples: Multiples { common: 1, sum: 0 },
    };
    let schema = rewriting.schema(schema, "#")?;
    let mut costs = Costs {
        root: &schema,
        seen: BTreeMap::new(),
    };
    costs.combinations(&schema, 0)?;
    if !is_finite(&schema) {
        return Err(
            "the schema is recursive without an end: give it an alternative that ends, or make the \
                    property that leads back optional"
                .to_owned(),
        );
    }
    Ok(schema)
}

/// Refuses a schema that is nested too deep, however deep it is.
pub(super) fn check_depth(schema: &Value) -> Result<(), String> {
    if depth(schema, 0) > MAX_DEPTH {
        return Err(format!("the schema is nested more than {MAX_DEPTH} levels deep"));
    }
    Ok(())
}

/// Gives the levels of a value, or one more than may be.
fn depth(value: &Value, above: usize) -> usize {
    if above > MAX_DEPTH {
        return above;
    }
    let deepest = match value {
        Value::Array(items) => items.iter().map(|item| depth(item, above + 1)).max(),
        Value::Object(fields) => fields.values().map(|field| depth(field, above + 1)).max(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    };
    deepest.unwrap_or(above)
}

/// Follows a reference within `root`.
fn target<'v>(root: &'v Value, reference: &str) -> Result<&'v Value, String> {
    let Some(pointer) = reference.strip_prefix('#') else {
        return Err(format!(
            "the reference {reference:?} leads out of the schema: write it out"
        ));
    };
    let found = root.pointer(pointer);
    found.ok_or_else(|| format!("the reference {reference:?} leads nowhere"))
}

/// What numbers must be multiples of, all together.
struct Multiples {
    common: u64,
    sum: u64,
}

impl Multiples {
    /// Refuses a `multipleOf` for which the parser would need too many states.
    fn add(&mut self, value: &Value, path: &str) -> Result<(), String> {
        let mut number = value
            .as_f64()
            .filter(|number| *number > 0.0)
            .ok_or_else(|| format!("{path} must be a number above 0"))?;
        // As the compiler reads it: by tens, until nothing is behind the point.
        while number.fract() != 0.0 && number <= MAX_MULTIPLE as f64 {
            number *= 10.0;
        }
        if number > MAX_MULTIPLE as f64 {
            return Err(format!(
                "{path} is {value}: it may be {MAX_MULTIPLE} at most, its point left out"
            ));
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is whole, above 0 and small"
        )]
        let number = number as u64;
        self.common = self.common / gcd(self.common, number) * number;
        self.sum += number;
        if self.common > MAX_MULTIPLE || self.sum > MAX_MULTIPLES {
            return Err(format!(
                "{path} is {value}: beside the schema's other ones it takes too many states; use smaller numbers"
            ));
        }
        Ok(())
    }
}

const fn gcd(mut one: u64, mut other: u64) -> u64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// Copies a schema without what is not to be compiled.
struct Rewriting<'v> {
    root: &'v Value,
    /// References that are being written out.
    within: Vec<String>,
    n_schemas: usize,
    multiples: Multiples,
}

impl Rewriting<'_> {
    fn schema(&mut self, schema: &Value, path: &str) -> Result<Value, String> {
        self.n_schemas += 1;
        if self.n_schemas > MAX_SCHEMAS {
            return Err(format!("the schema has more than {MAX_SCHEMAS} schemas in it"));
        }
        let fields = match schema {
            Value::Object(fields) => fields,
            Value::Bool(_) => return Ok(schema.clone()),
            Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err(format!("{path} must be an object, true or false"));
            }
        };
        let mut copy = Map::new();
        for (key, value) in fields {
            if let Some(value) = self.field(key, value, &format!("{path}/{key}"))? {
                copy.insert(key.clone(), value);
            }
        }
        Ok(Value::Object(copy))
    }

    fn field(&mut self, key: &str, value: &Value, path: &str) -> Result<Option<Value>, String> {
        let is_remark = match (key, value) {
            ("$id" | "id", Value::String(_)) | ("uniqueItems", Value::Bool(false)) | ("x-guidance", _) => {
                true
            }
            ("format", Value::String(format)) => !FORMATS.contains(&format.as_str()),
            _ => false,
        };
        if is_remark {
            return Ok(None);
        }
        if UNSUPPORTED.contains(&key) {
            return Err(format!("{key:?} is not supported ({path})"));
        }
        if key == "multipleOf" {
            self.multiples.add(value, path)?;
        }
        if key == "$ref" {
            let reference = value.as_str().ok_or_else(|| format!("{path} must be a text"))?;
            target(self.root, reference)?;
        }
        let copy = match value {
            Value::Array(items) if LIST.contains(&key) => {
                if key == "oneOf" && items.len() > MAX_ONE_OF {
                    return Err(format!(
                        "{path} has {} alternatives and may have {MAX_ONE_OF}",
                        items.len()
                    ));
                }
                let each = items.iter().enumerate().map(|(index, item)| match key {
                    "oneOf" => self.written_out(item, &format!("{path}/{index}")),
                    _ => self.schema(item, &format!("{path}/{index}")),
                });
                Value::Array(each.collect::<Result<_, _>>()?)
            }
            Value::Object(named) if NAMED.contains(&key) => {
                if key == "patternProperties" && named.len() > MAX_PATTERN_PROPERTIES {
                    let n = named.len();
                    return Err(format!(
                        "{path} has {n} patterns and may have {MAX_PATTERN_PROPERTIES}"
                    ));
                }
                let each = named.iter().map(|(name, schema)| {
                    let copy = self.schema(schema, &format!("{path}/{name}"))?;
                    Ok((name.clone(), copy))
                });
                Value::Object(each.collect::<Result<_, String>>()?)
            }
            _ if ONE.contains(&key) => self.schema(value, path)?,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => value.clone(),
        };
        Ok(Some(copy))
    }

    /// Writes a bare reference out: what stands behind one is not compared, and alternatives of which exactly one
    /// must hold are compared.
    fn written_out(&mut self, schema: &Value, path: &str) -> Result<Value, String> {
        let bare = schema.as_object().filter(|fields| fields.len() == 1);
        let reference = bare.and_then(|fields| fields.get("$ref")).and_then(Value::as_str);
        let Some(reference) = reference.filter(|one| self.within.iter().all(|other| other != one)) else {
            return self.schema(schema, path);
        };
        let behind = target(self.root, reference)?;
        self.within.push(reference.to_owned());
        let copy = self.written_out(behind, reference);
        self.within.pop();
        copy
    }
}

/// Counts what combining alternatives takes, along the way that compiling goes.
struct Costs<'v> {
    root: &'v Value,
    /// Alternatives behind each reference; one while it is being counted.
    seen: BTreeMap<&'v str, u64>,
}

impl<'v> Costs<'v> {
    /// Gives the number of alternatives that a schema comes to.
    fn combinations(&mut self, schema: &'v Value, above: usize) -> Result<u64, String> {
        if above > MAX_DEPTH {
            return Err(format!(
                "the schema is nested more than {MAX_DEPTH} levels deep, with what its references lead to"
            ));
        }
        let Some(fields) = schema.as_object() else {
            return Ok(1);
        };
        let mut factors = Vec::new();
        for (key, value) in fields {
            let factor = match (key.as_str(), value) {
                ("$ref", Value::String(reference)) => self.behind(reference, above + 1)?,
                ("enum", Value::Array(options)) => options.len() as u64,
                ("anyOf" | "oneOf", Value::Array(options)) => {
                    let each = options.iter().map(|one| self.combinations(one, above + 1));
                    each.sum::<Result<u64, String>>()?
                }
                ("allOf", Value::Array(parts)) => {
                    for part in parts {
                        factors.push(self.combinations(part, above + 1)?);
                    }
                    1
                }
                _ => {
                    // They stand for themselves; only what lies in them is looked at.
                    for part in parts_of(key, value) {
                        self.combinations(part, above + 1)?;
                    }
                    1
                }
            };
            factors.push(factor);
        }
        let several = factors.iter().filter(|&&factor| factor > 1).count();
        let product = factors
            .iter()
            .fold(1_u64, |product, &factor| product.saturating_mul(factor.max(1)));
        if several > 1 && product > MAX_COMBINATIONS {
            return Err(format!(
                "its alternatives can be combined in {product} ways, and {MAX_COMBINATIONS} are the most: state \
                 them once, instead of several times with allOf"
            ));
        }
        Ok(product)
    }

    fn behind(&mut self, reference: &'v str, above: usize) -> Result<u64, String> {
        if let Some(known) = self.seen.get(reference) {
            return Ok(*known);
        }
        if self.seen.len() == MAX_REFERENCES {
            return Err(format!(
                "the schema has references to more than {MAX_REFERENCES} places"
            ));
        }
        self.seen.insert(reference, 1);
        let count = self.combinations(target(self.root, reference)?, above)?;
        self.seen.insert(reference, count);
        Ok(count)
    }
}

/// Gives the schemas in the value of a keyword, other than those of definitions.
fn parts_of<'v>(key: &str, value: &'v Value) -> Vec<&'v Value> {
    match value {
        Value::Array(items) if LIST.contains(&key) => items.iter().collect(),
        Value::Object(named) if matches!(key, "properties" | "patternProperties") => named.values().collect(),
        Value::Object(_) if ONE.contains(&key) => vec![value],
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => Vec::new(),
    }
}

/// Says whether an answer of some length can fulfil the schema.
fn is_finite(root: &Value) -> bool {
    let mut references = BTreeSet::new();
    collect_references(root, &mut references);
    let mut finite = BTreeSet::new();
    loop {
        let is_new = |reference: &&str| {
            let behind = target(root, reference);
            behind.is_ok_and(|schema| ends(schema, &finite))
        };
        let new: Vec<&str> = references.iter().copied().filter(is_new).collect();
        if new.is_empty() {
            return ends(root, &finite);
        }
        for reference in new {
            references.remove(reference);
            finite.insert(reference);
        }
    }
}

fn collect_references<'v>(value: &'v Value, references: &mut BTreeSet<&'v str>) {
    match value {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                references.insert(reference);
            }
            fields
                .values()
                .for_each(|field| collect_references(field, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Says whether a value of this schema can end, given the references behind which one can.
fn ends(schema: &Value, finite: &BTreeSet<&str>) -> bool {
    let Some(fields) = schema.as_object() else {
        return true;
    };
    let list = |key: &str| fields.get(key).and_then(Value::as_array);
    let all = list("allOf").is_none_or(|parts| parts.iter().all(|part| ends(part, finite)));
    let any = |key: &str| list(key).is_none_or(|options| options.iter().any(|one| ends(one, finite)));
    let reference = fields.get("$ref").and_then(Value::as_str);
    let is = |kind: &str| fields.get("type").and_then(Value::as_str) == Some(kind);
    let own = if is("object") {
        object_ends(fields, finite)
    } else if is("array") {
        array_ends(fields, finite)
    } else {
        true
    };
    reference.is_none_or(|reference| finite.contains(reference)) && all && any("anyOf") && any("oneOf") && own
}

fn object_ends(fields: &Map<String, Value>, finite: &BTreeSet<&str>) -> bool {
    let properties = fields.get("properties");
    // A pattern may stand for any other name.
    let rest = fields
        .get("additionalProperties")
        .filter(|_| !fields.contains_key("patternProperties"));
    let property = |name: &str| properties.and_then(|all| all.get(name)).or(rest);
    let required = fields.get("required").and_then(Value::as_array);
    let mut names = required.into_iter().flatten().filter_map(Value::as_str);
    names.all(|name| property(name).is_none_or(|schema| ends(schema, finite)))
}

fn array_ends(fields: &Map<String, Value>, finite: &BTreeSet<&str>) -> bool {
    let least = fields.get("minItems").and_then(Value::as_u64).unwrap_or(0);
    let list = |key: &str| fields.get(key).and_then(Value::as_array);
    let first = list("prefixItems").or(list("items"));
    let n_first = first.map_or(0, Vec::len) as u64;
    let mut needed = first
        .into_iter()
        .flatten()
        .take(usize::try_from(least).unwrap_or(usize::MAX));
    let rest = fields.get("items").filter(|items| items.is_object());
    needed.all(|item| ends(item, finite)) && (least <= n_first || rest.is_none_or(|item| ends(item, finite)))
}
