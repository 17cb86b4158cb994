//! Renders conversations by the chat template inside a model file.
//!
//! Templates are written for Python's jinja2 as transformers configures it (`trim_blocks`, `lstrip_blocks`,
//! loop controls, Python's string methods, `raise_exception`, `strftime_now`, `tojson` as `json.dumps`).
//! They come with the model, so they are foreign code: fuel bounds their work.

use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, Value, context};
use serde::Serialize;
use serde_json::ser::Formatter;

use crate::request::{GenerateError, Message};

/// Instructions one rendering may take. A hundred messages through the largest public template take about
/// a hundredth of it.
const FUEL: u64 = 5_000_000;

/// What a template gets to see.
pub(crate) struct TemplateInput<'a> {
    pub(crate) messages: &'a [Message],
    pub(crate) tools: Option<&'a serde_json::Value>,
    pub(crate) bos: &'a str,
    pub(crate) eos: &'a str,
    /// Seconds since 1970, if the caller told the time.
    pub(crate) unix_now: Option<i64>,
}

/// Renders the conversation with the opening of an answer at its end.
pub(crate) fn render(template: &str, input: &TemplateInput<'_>) -> Result<String, GenerateError> {
    let refuse = |error: Error| GenerateError::Template {
        reason: reason(&error),
    };
    let environment = environment(input.unix_now).map_err(refuse)?;
    let messages: Vec<serde_json::Value> = input.messages.iter().map(message_value).collect();
    let context = context! {
        messages => Serde(messages),
        tools => input.tools.map(|tools| Value::from(Serde(tools.clone()))),
        add_generation_prompt => true,
        bos_token => input.bos,
        eos_token => input.eos,
    };
    environment
        .render_named_str("chat_template", template, context)
        .map_err(refuse)
}

fn message_value(message: &Message) -> serde_json::Value {
    let mut object = serde_json::Map::new();
    object.insert("role".to_owned(), message.role.clone().into());
    object.insert("content".to_owned(), message.content.clone().into());
    for (key, value) in &message.extra {
        object.insert(key.clone(), value.clone());
    }
    object.into()
}

fn environment(unix_now: Option<i64>) -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    let syntax = minijinja::syntax::SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()?;
    environment.set_syntax(syntax);
    environment.set_fuel(Some(FUEL));
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.add_function("raise_exception", |text: String| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, text))
    });
    environment.add_function("strftime_now", move |format: String| -> Result<String, Error> {
        match unix_now {
            Some(now) => Ok(strftime(&format, now)),
            None => Err(Error::new(
                ErrorKind::InvalidOperation,
                "it asks for the date, which is not known here",
            )),
        }
    });
    environment.add_filter(
        "tojson",
        |value: Value, options: minijinja::value::Kwargs| -> Result<String, Error> {
            let indent: Option<usize> = options.get("indent")?;
            python_json(&value, indent.map(|n| n.min(16)))
        },
    );
    Ok(environment)
}

fn reason(error: &Error) -> String {
    match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "it takes too much work".to_owned(),
        (_, Some(detail)) => detail.to_owned(),
        (kind, None) => kind.to_string(),
    }
}

/// Writes JSON as Python's `json.dumps(value, ensure_ascii=False)` does.
fn python_json(value: &Value, indent: Option<usize>) -> Result<String, Error> {
    let mut bytes = Vec::new();
    let written = match indent {
        Some(width) => {
            let spaces = " ".repeat(width);
            let formatter = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter))
        }
        None => value.serialize(&mut serde_json::Serializer::with_formatter(
            &mut bytes,
            PythonFormatter,
        )),
    };
    written.map_err(|source| Error::new(ErrorKind::BadSerialization, source.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

struct PythonFormatter;

impl Formatter for PythonFormatter {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W) -> std::io::Result<()> {
        out.write_all(b": ")
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// Formats a time in UTC by the letters that templates use; unknown ones stay as they are.
fn strftime(format: &str, unix: i64) -> String {
    let (days, seconds) = (unix.div_euclid(86_400), unix.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let month_name = MONTHS[(month - 1) as usize];
    let day_name = DAYS[(days + 4).rem_euclid(7) as usize];
    let mut text = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        match letters.next() {
            Some('Y') => text.push_str(&year.to_string()),
            Some('y') => text.push_str(&format!("{:02}", year.rem_euclid(100))),
            Some('m') => text.push_str(&format!("{month:02}")),
            Some('d') => text.push_str(&format!("{day:02}")),
            Some('e') => text.push_str(&format!("{day:2}")),
            Some('B') => text.push_str(month_name),
            Some('b') => text.push_str(&month_name[..3]),
            Some('A') => text.push_str(day_name),
            Some('a') => text.push_str(&day_name[..3]),
            Some('H') => text.push_str(&format!("{hour:02}")),
            Some('I') => text.push_str(&format!("{:02}", (hour + 11) % 12 + 1)),
            Some('p') => text.push_str(if hour < 12 { "AM" } else { "PM" }),
            Some('M') => text.push_str(&format!("{minute:02}")),
            Some('S') => text.push_str(&format!("{second:02}")),
            Some('%') => text.push('%'),
            Some(other) => text.extend(['%', other]),
            None => text.push('%'),
        }
    }
    text
}

/// Turns days since 1970-01-01 into year, month and day (Howard Hinnant, "chrono-compatible low-level date
/// algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(messages: &[Message]) -> TemplateInput<'_> {
        TemplateInput {
            messages,
            tools: None,
            bos: "<s>",
            eos: "</s>",
            unix_now: Some(1_795_219_200),
        }
    }

    fn run(template: &str) -> Result<String, GenerateError> {
        render(template, &input(&[Message::new("user", "  Hi <b> ")]))
    }

    #[test]
    fn blocks_leave_no_blank_lines_and_python_methods_work() {
        let template = "{%- for m in messages %}\n  {% if m.role == 'user' %}\n{{ m['content'].strip().upper() }}\n  {% endif %}\n{% endfor %}";
        assert_eq!(run(template).unwrap(), "HI <B>\n");
    }

    #[test]
    fn the_date_is_an_argument() {
        assert_eq!(
            run("{{ strftime_now('%d %b %Y, %A %H:%M %p%%') }}").unwrap(),
            "21 Nov 2026, Saturday 00:00 AM%"
        );
        let without = TemplateInput {
            unix_now: None,
            ..input(&[])
        };
        assert!(render("{{ strftime_now('%Y') }}", &without).is_err());
    }

    #[test]
    fn a_template_may_refuse_and_may_not_run_for_ever() {
        let refused = run("{{ raise_exception('roles must alternate') }}").unwrap_err();
        assert_eq!(
            refused,
            GenerateError::Template {
                reason: "roles must alternate".to_owned()
            }
        );
        let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}";
        assert_eq!(
            run(endless).unwrap_err(),
            GenerateError::Template {
                reason: "it takes too much work".to_owned()
            }
        );
    }

    #[test]
    fn json_is_pythons() {
        assert_eq!(
            run("{{ {'a': [1, 'é<']} | tojson }}").unwrap(),
            "{\"a\": [1, \"é<\"]}"
        );
        assert_eq!(
            run("{{ {'a': 1} | tojson(indent=2) }}").unwrap(),
            "{\n  \"a\": 1\n}"
        );
        assert_eq!(
            run("{{ bos_token }}{{ tools is none }}{{ add_generation_prompt }}").unwrap(),
            "<s>TrueTrue"
        );
    }
}
