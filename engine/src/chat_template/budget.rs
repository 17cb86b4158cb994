//! What one rendering may use: bytes that it makes, and time. Every value is measured here before an operation copies,
//! prints or compares it, so no single operation can take more than what is left.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

/// Bytes that a rendering may make: texts, lists and output together, whether they are still held or not. A
/// conversation of a hundred short messages takes some hundred kilobytes in the largest public templates.
const MADE_BYTES: u64 = 16 << 20;
/// And so many for each byte of the conversation, which public templates copy three to five times.
const MADE_PER_INPUT_BYTE: u64 = 8;
/// A public template takes milliseconds; on a machine that does much else, perhaps a hundred of them.
const TIME: Duration = Duration::from_secs(3);
/// What an item of a list, or a value by itself, is counted as.
pub(super) const NODE_BYTES: u64 = 64;
/// Values nested deeper would take a stack of their own to print or to drop. JSON is read to a depth of 128.
const MAX_DEPTH: usize = 160;

/// What is left.
pub(super) struct Budget {
    left_bytes: AtomicU64,
    until: Instant,
}

impl Budget {
    /// Begins a rendering of a conversation of that size.
    pub(super) fn begin(input_bytes: usize) -> Self {
        let for_input = MADE_PER_INPUT_BYTE.saturating_mul(input_bytes as u64);
        Self {
            left_bytes: AtomicU64::new(MADE_BYTES.saturating_add(for_input)),
            until: Instant::now() + TIME,
        }
    }

    fn left(&self) -> u64 {
        self.left_bytes.load(Ordering::Relaxed)
    }

    /// Takes what is about to be made.
    pub(super) fn charge(&self, bytes: u64) -> Result<(), Error> {
        self.check_time()?;
        let taken = self
            .left_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            });
        taken.map(drop).map_err(|_| too_much_memory())
    }

    pub(super) fn check_time(&self) -> Result<(), Error> {
        if Instant::now() < self.until {
            Ok(())
        } else {
            Err(broken("it takes too much time"))
        }
    }

    /// Weighs values: texts by their bytes, everything else as a node. Refuses what is larger than all that is left,
    /// and what is nested so deep, or in itself, that walking it would never end.
    pub(super) fn weigh(&self, values: &[Value]) -> Result<u64, Error> {
        self.check_time()?;
        let mut scale = Scale {
            limit: self.left(),
            total: 0,
            is_plain: true,
        };
        values.iter().try_for_each(|value| scale.add(value, 0))?;
        Ok(scale.total)
    }

    /// As [`Budget::weigh`]; refuses as well what a namespace could be made to hold itself by.
    pub(super) fn weigh_plain(&self, value: &Value) -> Result<(), Error> {
        let mut scale = Scale {
            limit: self.left(),
            total: 0,
            is_plain: true,
        };
        scale.add(value, 0)?;
        if scale.is_plain {
            return Ok(());
        }
        let text = "a namespace can keep neither namespaces nor loops nor macros";
        Err(Error::new(ErrorKind::InvalidOperation, text))
    }

    /// Prints a value as `{{ }}` does.
    pub(super) fn text_of(&self, value: &Value) -> Result<String, Error> {
        if let Some(text) = value.as_str() {
            self.charge(text.len() as u64)?;
            return Ok(text.to_owned());
        }
        self.weigh(std::slice::from_ref(value))?;
        let mut out = Bounded {
            text: String::new(),
            limit: self.left(),
        };
        write!(out, "{value}").map_err(|_| too_much_memory())?;
        self.charge(out.text.len() as u64)?;
        Ok(out.text)
    }

    /// Takes what an operation made. A list that is computed while it is read becomes one that is there: built upon
    /// each other, such lists would take a stack frame each.
    pub(super) fn settle(&self, made: Value) -> Result<Value, Error> {
        let kind = made.kind();
        if matches!(kind, ValueKind::Seq | ValueKind::Iterable) && !made.is_tuple() {
            return Ok(Value::from(self.items_of(&made)?));
        }
        let bytes = if kind == ValueKind::Map {
            NODE_BYTES.saturating_mul(made.len().unwrap_or(0) as u64)
        } else {
            made.as_bytes().map_or(0, |bytes| bytes.len() as u64)
        };
        self.charge(bytes)?;
        Ok(made)
    }

    /// Copies the items of a list out of it.
    pub(super) fn items_of(&self, list: &Value) -> Result<Vec<Value>, Error> {
        let mut items = Vec::new();
        for item in list.try_iter()?.checked() {
            self.charge(NODE_BYTES)?;
            items.push(item?);
        }
        Ok(items)
    }
}

struct Scale {
    limit: u64,
    total: u64,
    is_plain: bool,
}

impl Scale {
    fn add(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        let bytes = value.as_bytes().map_or(0, |bytes| bytes.len() as u64);
        self.total = self.total.saturating_add(NODE_BYTES).saturating_add(bytes);
        if self.total > self.limit {
            return Err(too_much_memory());
        }
        let Some(object) = value.as_object() else {
            return Ok(());
        };
        if depth == MAX_DEPTH {
            return Err(broken("it nests values too deep"));
        }
        let of_the_library = ["::Namespace", "::Loop", "::Macro"];
        self.is_plain &= !of_the_library
            .iter()
            .any(|name| object.type_name().ends_with(name));
        let is_map = value.kind() == ValueKind::Map;
        let Ok(items) = value.try_iter() else {
            return Ok(());
        };
        for item in items {
            if is_map && let Ok(inner) = value.get_item(&item) {
                self.add(&inner, depth + 1)?;
            }
            self.add(&item, depth + 1)?;
        }
        Ok(())
    }
}

/// A text that does not grow beyond a limit.
pub(super) struct Bounded {
    pub(super) text: String,
    pub(super) limit: u64,
}

impl Bounded {
    fn has_room(&self, bytes: usize) -> bool {
        (self.text.len() + bytes) as u64 <= self.limit
    }
}

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if !self.has_room(text.len()) {
            return Err(fmt::Error);
        }
        self.text.push_str(text);
        Ok(())
    }
}

/// The template is at fault, whatever the conversation: the kind tells it from a refusal of its own.
pub(super) fn broken(reason: &'static str) -> Error {
    Error::new(ErrorKind::OutOfFuel, reason)
}

pub(super) fn too_much_memory() -> Error {
    broken("it takes too much memory")
}
