//! Before and after, for each program; what is taken back; what is refused.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{Program, Target, settings};

fn target() -> Target {
    Target {
        root: "http://127.0.0.1:4327".to_owned(),
        model: "smollm2-135m-instruct".to_owned(),
        title: "SmolLM2 135M Instruct".to_owned(),
        context: Some(8192),
        key: "sk-hearth-abc".to_owned(),
    }
}

fn connected(program: Program, format: Format, before: &str) -> Edited {
    let edited = set(format, before, &settings(program, &target()));
    edited.unwrap_or_else(|error| panic!("{error}: {before}"))
}

/// The text after, and that taking it back gives the text before.
fn golden(program: Program, format: Format, before: &str, after: &str) {
    let edited = connected(program, format, before);
    assert_eq!(edited.text, after, "{}", program.id());
    let taken = take(format, &edited.text, &edited.changes, &edited.made).unwrap();
    assert!(taken.kept.is_empty());
    assert_eq!(taken.text, before, "{} taken back", program.id());
}

#[test]
fn claude_code_keeps_comments_and_other_variables() {
    golden(
        Program::ClaudeCode,
        Format::Json,
        r#"{
  // mine
  "permissions": { "allow": ["Bash(ls:*)"] },
  "env": {
    "EDITOR": "vi", // the best
    "ANTHROPIC_MODEL": "opus"
  }
}
"#,
        r#"{
  // mine
  "permissions": { "allow": ["Bash(ls:*)"] },
  "env": {
    "EDITOR": "vi", // the best
    "ANTHROPIC_MODEL": "smollm2-135m-instruct",
    "ANTHROPIC_BASE_URL": "http://127.0.0.1:4327",
    "ANTHROPIC_AUTH_TOKEN": "sk-hearth-abc",
    "ANTHROPIC_DEFAULT_OPUS_MODEL": "smollm2-135m-instruct",
    "ANTHROPIC_DEFAULT_SONNET_MODEL": "smollm2-135m-instruct",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL": "smollm2-135m-instruct"
  }
}
"#,
    );
}

#[test]
fn codex_keeps_comments_and_order() {
    golden(
        Program::Codex,
        Format::Toml,
        "# how I like it\nmodel = \"gpt-5\" # for work\napproval_policy = \"on-request\"\n\n[mcp_servers.files]\ncommand = \"npx\"\n",
        "# how I like it\nmodel = \"smollm2-135m-instruct\" # for work\napproval_policy = \"on-request\"\n\
         model_provider = \"hearth\"\nmodel_context_window = 8192\nweb_search = \"disabled\"\n\n\
         [mcp_servers.files]\ncommand = \"npx\"\n\n[features]\nmulti_agent = false\n\n\
         [model_providers.hearth]\nname = \"Hearth\"\nbase_url = \"http://127.0.0.1:4327/v1\"\nwire_api = \"responses\"\n\
         experimental_bearer_token = \"sk-hearth-abc\"\n",
    );
}

#[test]
fn opencode_is_given_a_provider() {
    golden(
        Program::OpenCode,
        Format::Json,
        "{\n  \"$schema\": \"https://opencode.ai/config.json\",\n  \"theme\": \"nord\"\n}\n",
        r#"{
  "$schema": "https://opencode.ai/config.json",
  "theme": "nord",
  "provider": {
    "hearth": {
      "npm": "@ai-sdk/openai-compatible",
      "name": "Hearth",
      "options": {
        "baseURL": "http://127.0.0.1:4327/v1",
        "apiKey": "sk-hearth-abc"
      },
      "models": {
        "smollm2-135m-instruct": {
          "name": "SmolLM2 135M Instruct",
          "limit": {
            "context": 8192,
            "output": 2048
          }
        }
      }
    }
  },
  "model": "hearth/smollm2-135m-instruct",
  "small_model": "hearth/smollm2-135m-instruct"
}
"#,
    );
}

#[test]
fn continue_is_given_a_model_before_the_others() {
    let item = "  - name: Hearth\n    provider: openai\n    model: smollm2-135m-instruct\n    \
                apiBase: \"http://127.0.0.1:4327/v1\"\n    apiKey: sk-hearth-abc\n    roles: [chat, edit, apply]\n    \
                defaultCompletionOptions:\n      contextLength: 8192\n";
    let head = "name: Local Config\nversion: 1.0.0\nschema: v1\n";
    golden(
        Program::Continue,
        Format::Yaml,
        &format!("{head}models: []\nrules:\n  - Be short.\n"),
        &format!("{head}models:\n{item}rules:\n  - Be short.\n"),
    );
    let others = "  # mine\n  - name: GPT\n    provider: openai\n\n  - uses: a/b\n";
    golden(
        Program::Continue,
        Format::Yaml,
        &format!("{head}models:\n{others}context:\n  - provider: file\n"),
        &format!("{head}models:\n{item}{others}context:\n  - provider: file\n"),
    );
    golden(
        Program::Continue,
        Format::Yaml,
        head,
        &format!("{head}models:\n{item}"),
    );
    // Dashes may stand at the margin.
    let flat = connected(
        Program::Continue,
        Format::Yaml,
        "models:\n- name: GPT\n  provider: openai\n",
    );
    assert!(
        flat.text
            .starts_with("models:\n- name: Hearth\n  provider: openai\n"),
        "{}",
        flat.text
    );
}

#[test]
fn aider_keeps_comments_and_gets_its_old_model_back() {
    golden(
        Program::Aider,
        Format::Yaml,
        "# aider\nmodel: 'sonnet' # for now\ndark-mode: true\n",
        "# aider\nmodel: openai/smollm2-135m-instruct # for now\ndark-mode: true\n\
         openai-api-base: \"http://127.0.0.1:4327/v1\"\nopenai-api-key: sk-hearth-abc\n",
    );
}

#[test]
fn zed_keeps_trailing_commas_and_has_no_key() {
    let before =
        "// Zed\n{\n    \"theme\": \"One\",\n    \"agent\": {\n        \"version\": \"2\",\n    },\n}\n";
    let edited = connected(Program::Zed, Format::Json, before);
    assert!(!edited.text.contains("sk-hearth"), "{}", edited.text);
    for line in [
        "        \"version\": \"2\",\n",
        "            \"Hearth\": {\n",
        "                \"api_url\": \"http://127.0.0.1:4327/v1\",\n",
        "\"max_tokens\": 8192",
    ] {
        assert!(edited.text.contains(line), "{line}: {}", edited.text);
    }
    let taken = take(Format::Json, &edited.text, &edited.changes, &edited.made).unwrap();
    assert_eq!(taken.text, before);
}

#[test]
fn an_empty_file_gets_what_it_needs() {
    for (program, format) in [
        (Program::ClaudeCode, Format::Json),
        (Program::Codex, Format::Toml),
        (Program::OpenCode, Format::Json),
        (Program::Continue, Format::Yaml),
        (Program::Aider, Format::Yaml),
        (Program::Zed, Format::Json),
    ] {
        let edited = connected(program, format, "");
        assert!(
            edited.text.ends_with('\n') && edited.text.contains("4327"),
            "{}",
            edited.text
        );
        let taken = take(format, &edited.text, &edited.changes, &edited.made).unwrap();
        assert!(
            matches!(taken.text.trim(), "" | "{}"),
            "{}: {}",
            program.id(),
            taken.text
        );
    }
    let codex = connected(Program::Codex, Format::Toml, "").text;
    assert!(
        codex.starts_with("model = ") && codex.contains("\n[model_providers.hearth]\n"),
        "{codex}"
    );
    assert!(!codex.contains("[model_providers]"), "{codex}");
    let aider = connected(Program::Aider, Format::Yaml, "").text;
    assert!(
        aider.contains("\nmodel: openai/smollm2-135m-instruct\n"),
        "{aider}"
    );
}

#[test]
fn what_somebody_changed_since_stays() {
    let before = "{ \"env\": { \"A\": \"1\" } }\n";
    let edited = connected(Program::ClaudeCode, Format::Json, before);
    let text = edited
        .text
        .replace(
            "\"ANTHROPIC_MODEL\": \"smollm2-135m-instruct\"",
            "\"ANTHROPIC_MODEL\": \"other\"",
        )
        .replace("\"A\": \"1\"", "\"A\": \"2\", \"B\": \"new\"");
    let taken = take(Format::Json, &text, &edited.changes, &edited.made).unwrap();
    assert_eq!(taken.kept, ["env.ANTHROPIC_MODEL"]);
    let left: Value = serde_json::from_str(&taken.text).unwrap();
    assert_eq!(
        left,
        json!({ "env": { "A": "2", "B": "new", "ANTHROPIC_MODEL": "other" } })
    );

    // A table of ours that somebody put something into stays with that.
    let edited = connected(Program::Codex, Format::Toml, "");
    let text = format!("{}request_max_retries = 1\n", edited.text);
    let taken = take(Format::Toml, &text, &edited.changes, &edited.made).unwrap();
    assert!(
        taken
            .text
            .contains("[model_providers.hearth]\nrequest_max_retries = 1"),
        "{}",
        taken.text
    );
    assert!(!taken.text.contains("4327"), "{}", taken.text);

    // One that was removed by hand is no fault.
    let taken = take(Format::Toml, "a = 1\n", &edited.changes, &edited.made).unwrap();
    assert_eq!((taken.text.as_str(), taken.kept.len()), ("a = 1\n", 0));
    let edited = connected(
        Program::Continue,
        Format::Yaml,
        "models:\n  - name: GPT\n    provider: openai\n",
    );
    let text = edited.text.replace("contextLength: 8192", "contextLength: 4096");
    let taken = take(Format::Yaml, &text, &edited.changes, &edited.made).unwrap();
    assert_eq!(taken.kept, ["models.Hearth"]);
}

#[test]
fn line_ends_and_byte_order_marks_stay() {
    let before = "\u{feff}a = 1\r\nb = 2\r\n";
    let edited = connected(Program::Codex, Format::Toml, before);
    assert!(edited.text.starts_with('\u{feff}'));
    assert_eq!(
        edited.text.matches('\n').count(),
        edited.text.matches("\r\n").count()
    );
    let taken = take(Format::Toml, &edited.text, &edited.changes, &edited.made).unwrap();
    assert_eq!(taken.text, before);
}

#[test]
fn what_cannot_be_edited_without_loss_is_refused_with_its_place() {
    let refused = |program, format, text: &str| {
        set(format, text, &settings(program, &target()))
            .err()
            .unwrap_or_else(|| panic!("{text}"))
            .to_string()
    };
    for (text, words) in [
        ("{\n  \"a\": ,\n}", "line 2"),
        ("[1]", "no table"),
        ("{\"env\": 1}", "env is no table"),
        ("{\"env\": {}, \"env\": {}}", "env stands in it twice"),
        ("{'a': 1}", "line 1"),
    ] {
        let error = refused(Program::ClaudeCode, Format::Json, text);
        assert!(error.contains(words), "{text}: {error}");
    }
    for (text, words) in [
        ("a = 1\nb = \n", "line 2"),
        ("model_providers = 1\n", "model_providers is no table"),
        ("[model]\nx = 1\n", "model is not a plain value"),
    ] {
        let error = refused(Program::Codex, Format::Toml, text);
        assert!(error.contains(words), "{text}: {error}");
    }
    for (text, words) in [
        ("{model: x}\n", "line 1 is laid out"),
        ("model:\n  - x\n", "model is not a plain value"),
        ("model: |\n  x\n", "model is not a plain value"),
        ("model: a\nmodel: b\n", "model stands in it twice"),
        ("a: 1\n\tb: 2\n", "line 2 is laid out"),
        ("just text\n", "line 1"),
        ("a: 1\n---\nb: 2\n", "line 2"),
    ] {
        let error = refused(Program::Aider, Format::Yaml, text);
        assert!(error.contains(words), "{text}: {error}");
    }
    for (text, words) in [
        ("models: {a: 1}\n", "models is laid out"),
        ("models:\n  a: 1\n", "models is laid out"),
        (
            "models:\n  - name: Hearth\n  - name: 'Hearth'\n",
            "models.Hearth stands in it twice",
        ),
    ] {
        let error = refused(Program::Continue, Format::Yaml, text);
        assert!(error.contains(words), "{text}: {error}");
    }
}

/// Lines of settings files, good ones and others.
fn text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("model: a # b"),
        Just("models:"),
        Just("models: []"),
        Just("  - name: Hearth"),
        Just("    model: x"),
        Just("- name: 'y'"),
        Just("# comment"),
        Just(""),
        Just("model = \"x\" # y"),
        Just("[model_providers.hearth]"),
        Just("[a]"),
        Just("x = { y = 1 }"),
        Just("{"),
        Just("}"),
        Just("\"env\": {"),
        Just("\"a\": 1,"),
        Just("// c"),
        Just("\"model\": \"m\""),
        Just("key: \"é\\\""),
    ];
    prop_oneof![
        prop::collection::vec(line, 0..8).prop_map(|lines| lines.join("\n")),
        any::<String>(),
    ]
}

proptest! {
    #[test]
    fn whatever_a_file_holds_what_is_set_can_be_taken_back(text in text()) {
        for (program, format) in [
            (Program::ClaudeCode, Format::Json),
            (Program::Zed, Format::Json),
            (Program::Codex, Format::Toml),
            (Program::Aider, Format::Yaml),
            (Program::Continue, Format::Yaml),
        ] {
            let Ok(edited) = set(format, &text, &settings(program, &target())) else {
                continue;
            };
            let taken = take(format, &edited.text, &edited.changes, &edited.made).unwrap();
            prop_assert!(taken.kept.is_empty(), "{:?}", taken.kept);
            prop_assert!(!taken.text.contains("4327"), "{}", taken.text);
            // What was taken back takes the same again.
            let again = set(format, &taken.text, &settings(program, &target()));
            prop_assert!(again.is_ok(), "{}", taken.text);
        }
    }
}
