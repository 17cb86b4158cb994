//! Tests of templates: what public ones do, and what hostile ones try.

use std::sync::LazyLock;

use super::*;

static NO_KWARGS: LazyLock<serde_json::Map<String, serde_json::Value>> = LazyLock::new(serde_json::Map::new);

fn input(messages: &[Message]) -> TemplateInput<'_> {
    TemplateInput {
        messages,
        tools: None,
        kwargs: &NO_KWARGS,
        bos: "<s>",
        eos: "</s>",
        unix_now: Some(1_795_219_200),
        input_bytes: 12,
    }
}

fn rendered(template: &str) -> Result<String, GenerateError> {
    render(template, &input(&[Message::new("user", "  Hi <b> ")]))
}

/// Why a template is stopped.
fn broken(template: &str) -> String {
    match rendered(template) {
        Err(GenerateError::TemplateBroken { reason }) => reason,
        other => {
            let shown: String = format!("{other:?}").chars().take(200).collect();
            panic!("{} is not stopped: {shown}", &template[..template.len().min(200)])
        }
    }
}

#[test]
fn blocks_leave_no_blank_lines_and_python_methods_work() {
    let template = "{%- for m in messages %}\n  {% if m.role == 'user' %}\n{{ m['content'].strip().upper() }}\n  {% endif %}\n{% endfor %}";
    assert_eq!(rendered(template).unwrap(), "HI <B>\n");
}

#[test]
fn an_answer_that_is_begun_is_gone_on_with() {
    const CHATML: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\
                          {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    let messages = [
        Message::new("user", "Where is Paris?"),
        Message::new("assistant", "It is in "),
    ];
    let asked: serde_json::Map<String, serde_json::Value> =
        [("continue_final_message".to_owned(), serde_json::Value::Bool(true))]
            .into_iter()
            .collect();
    let with = |messages, kwargs| TemplateInput {
        kwargs,
        ..input(messages)
    };
    let text = render(CHATML, &with(&messages, &asked)).unwrap();
    assert!(text.ends_with("<|im_start|>assistant\nIt is in"), "{text}");
    let text = render(CHATML, &with(&messages, &NO_KWARGS)).unwrap();
    assert!(
        text.ends_with("It is in <|im_end|>\n<|im_start|>assistant\n"),
        "{text}"
    );
    let text = render(CHATML, &with(&messages[..1], &asked)).unwrap();
    assert!(text.ends_with("<|im_start|>assistant\n"), "{text}");
    let loses = "{% for m in messages %}{{ m.role }}{% endfor %}";
    assert!(render(loses, &with(&messages, &asked)).is_err());
}

#[test]
fn the_date_is_an_argument() {
    assert_eq!(
        rendered("{{ strftime_now('%d %b %Y, %A %H:%M %p%%') }}").unwrap(),
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
    let refused = rendered("{{ raise_exception('roles must alternate') }}").unwrap_err();
    assert_eq!(
        refused,
        GenerateError::Template {
            reason: "roles must alternate".to_owned()
        }
    );
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}";
    assert!(broken(endless).starts_with("it takes too much"));
    let idle = "{% for a in range(9999) %}{% set x = 1 - a %}{% set y = x - a %}".repeat(2)
        + &"{% endfor %}".repeat(2);
    assert!(broken(&idle).starts_with("it takes too much"));
}

#[test]
fn json_is_pythons() {
    assert_eq!(
        rendered("{{ {'a': [1, 'é<']} | tojson }}").unwrap(),
        "{\"a\": [1, \"é<\"]}"
    );
    assert_eq!(
        rendered("{{ {'a': 1} | tojson(indent=2) }}").unwrap(),
        "{\n  \"a\": 1\n}"
    );
    assert_eq!(
        rendered("{{ bos_token }}{{ tools is none }}{{ add_generation_prompt }}").unwrap(),
        "<s>TrueTrue"
    );
}

/// The most memory that this process ever held, in bytes.
#[cfg(target_os = "linux")]
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Each makes much of little: by an operator, a filter, a method, a literal, or by holding itself.
const BOMBS: &[&str] = &[
    "{% set x='a'*99000000 %}{% for i in range(90000) %}{% set y=x~i %}{% endfor %}",
    "{% set ns=namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l=ns.l+['a'*99000000~i] %}{% endfor %}",
    "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
    "{% macro f(x) %}{% set y = f(x) ~ f(x) %}{{ y }}{% endmacro %}{{ f(1) }}",
    "{% set ns=namespace(x='abcdefgh') %}{% for i in range(90) %}{% set ns.x=ns.x~ns.x %}{% endfor %}",
    "{% set ns=namespace(x='abcdefgh') %}{% for i in range(90) %}{% set ns.x=ns.x+ns.x %}{% endfor %}",
    "{% set ns=namespace(x=[1]) %}{% for i in range(200) %}{% set ns.x=ns.x+ns.x %}{% endfor %}{{ ns.x }}",
    "{% set ns=namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x=[ns.x,ns.x] %}{% endfor %}{{ ns.x }}",
    "{% set ns=namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x={'a':ns.x,'b':ns.x} %}{% endfor %}{{ ns.x|tojson }}",
    "{% set ns=namespace(x=[1]) %}{% for i in range(90000) %}{% set ns.x=[ns.x] %}{% endfor %}{{ ns.x }}",
    "{% set ns=namespace(x=[1]) %}{% for i in range(90000) %}{% set ns.x=dict(a=ns.x) %}{% endfor %}",
    "{% set ns=namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x=ns.x*99 %}{% endfor %}",
    "{% set ns=namespace(x=(1,2)) %}{% for i in range(90) %}{% set ns.x=ns.x*99 %}{% endfor %}",
    "{% for i in range(9) %}{% for m in range(100000) %}{% endfor %}{% endfor %}",
    "{% set x='a'*900000 %}{{ x|replace('a', x) }}",
    "{% set x='a'*900000 %}{{ x.replace('a', x) }}",
    "{% set x='a'*900000 %}{{ x.replace('a', 1111111111111111111111111111) }}{{ x.replace('a', 'bbbbbbbbbbbbbbbbbbbb') }}",
    "{% set x='a'*900000 %}{{ x|join(x) }}",
    "{% set x='a'*900000 %}{{ x.join(range(90000)) }}",
    "{% set x='a\n'*900000 %}{{ x|indent(90000) }}",
    "{% set x='a\n'*900000 %}{{ x|indent(width=90000) }}",
    "{{ 'a'|indent(99999999999) }}",
    "{% set x='a'*900000 %}{{ x|list }}",
    "{{ [1]|batch(99999999, 'x') }}",
    "{{ [1]|slice(99999999, 'x') }}",
    "{% for i in range(90000) %}{% set x = 'a'.zfill(99999) %}{% endfor %}",
    "{% set x='a,'*900000 %}{{ x.rsplit(',') }}",
    "{% set x='%s'*90000 %}{{ x % ('a'*90000) }}",
    "{% macro f(a) %}{{ f(1, b=kwargs) }}{% endmacro %}{{ f(1, b=2) }}",
    "{% set x='a,'*900000 %}{{ x.split(',') }}{{ x|split(',') }}",
    "{% set x='a\n'*900000 %}{{ x.splitlines() }}{{ x|lines }}",
    "{% set x='{0}'*90000 %}{{ x.format('a'*90000) }}",
    "{% set x='%s'*90000 %}{{ x|format('a'*90000) }}",
    "{% set x='<'*900000 %}{% for i in range(99) %}{% set y=x|e %}{% endfor %}",
    "{% set x='a'*900000 %}{% for i in range(99) %}{% set y=x|upper %}{% endfor %}",
    "{% set x='a'*900000 %}{% for i in range(99) %}{% set y=x[1:] %}{% endfor %}",
    "{% set x='a'*9000000 %}{{ x.strip('b'*900000) }}",
    "{% set x='a'*9000000 %}{% for i in range(90000) %}{% if x[8999999] == i %}{% endif %}{% endfor %}",
    "{% set x='a'*9000000 %}{% for i in range(90000) %}{% if x == x ~ i %}{% endif %}{% endfor %}",
    "{% set x=['a'*900000]*9999 %}{{ x|sort }}",
    "{% set x=['a'*900000]*9999 %}{{ x == x }}",
    "{% set x=['a'*900000]*9999 %}{{ x|join }}",
    "{% set x=['a'*900000]*9999 %}{{ x|map('upper')|list }}",
    "{% set x=['a'*900000]*9999 %}{{ raise_exception(x) }}",
    "{% for i in range(90000) %}{% set x %}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{% endset %}{% endfor %}",
    "{% set ns=namespace(x='') %}{% for i in range(99) %}{% set ns.x %}{{ ns.x }}{{ ns.x }}aaaaaaaa{% endset %}{% endfor %}",
    "{% for i in range(90000) %}{% macro f() %}{{ i }}{% endmacro %}{% endfor %}",
    "{% for a in [[[1]]] recursive %}{{ loop([[a]]) }}{% endfor %}",
    "{% for i in range(90000) %}{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' }}{% endfor %}",
];

#[test]
fn a_template_that_makes_much_of_little_is_stopped_within_its_bounds() {
    #[cfg(target_os = "linux")]
    let before = peak_bytes();
    for bomb in BOMBS {
        broken(bomb);
    }
    #[cfg(target_os = "linux")]
    {
        let grown = peak_bytes() - before;
        assert!(grown < 200 << 20, "{} MB were taken", grown >> 20);
    }
}

#[test]
fn a_literal_is_not_computed_before_it_is_measured() {
    let many = "{% set x = 'a' * 99000000 ~ 'b' * 99000000 %}".repeat(99);
    assert_eq!(broken(&many), "it takes too much memory");
    assert!(broken(&"x".repeat(300_000)).contains("256 KiB"));
}

#[test]
fn what_chat_templates_have_no_use_for_is_refused_by_name() {
    for (template, word) in [
        ("{% include 'x' %}", "include"),
        ("{% extends 'x' %}", "extends"),
        ("{{ range(*[1, 2]) }}", "unpacking"),
        ("{{ [1]|xmlattr }}", "xmlattr"),
        ("{{ debug() }}", "debug"),
        ("{{ '{:99999999}'.format(1) }}", "width"),
        ("{{ '%*d'|format(9, 1) }}", "width"),
        ("{% set ns = namespace() %}{% set ns.x = ns %}", "namespace"),
        (
            "{% set ns = namespace() %}{% set ns.x = [{'a': ns}] %}",
            "namespace",
        ),
        (
            "{% set ns = namespace() %}{% for a in [ns] %}{% set ns.x = loop %}{% endfor %}",
            "namespace",
        ),
        (
            "{% for a in [1] %}{{ loop.changed(a) }}{% endfor %}",
            "loop.changed",
        ),
    ] {
        let error = rendered(template).unwrap_err().to_string();
        assert!(error.contains(word), "{template}: {error}");
    }
}

#[test]
fn guarded_operators_are_those_of_the_library() {
    for (expression, text) in [
        ("1 + 2", "3"),
        ("1 + 2.5", "3.5"),
        ("'a' + 'b'", "ab"),
        ("'a' ~ 1 ~ none ~ x", "a1None"),
        ("2 * 3", "6"),
        ("'ab' * 2", "abab"),
        ("2 * 'ab'", "abab"),
        ("[1] + [2]", "[1, 2]"),
        ("[1] * 3", "[1, 1, 1]"),
        ("[1, 2, 3][1:]", "[2, 3]"),
        ("[1, 2, 3][::-1]", "[3, 2, 1]"),
        ("'hello'[1:3]", "el"),
        ("[1, 2, 3][-1]", "3"),
        ("1 < 2 < 3", "True"),
        ("1 < 2 > 3", "False"),
        ("'a' in 'cab'", "True"),
        ("'x' not in ['a', 'b']", "True"),
        ("'a' in {'a': 1}", "True"),
        ("'role' in messages[0]", "True"),
        ("messages[0]['role'] == 'user' and messages|length == 1", "True"),
        ("(messages + messages)|length", "2"),
        ("messages|map(attribute='role')|join(', ')", "user"),
        ("messages|selectattr('role', 'equalto', 'user')|list|length", "1"),
        ("{'b': 1, 'a': 2}|dictsort|map('first')|join", "ab"),
        ("{'b': 1, 'a': 2}|items|list|length", "2"),
        ("{'b': 1}.items()|list|length", "1"),
        ("{'b': 1}.get('c', 7)", "7"),
        ("'a b'.split()|join('-')", "a-b"),
        ("'</t>x'.split('</t>')[-1].lstrip('x')", ""),
        ("'%s is %d'|format('a', 3)", "a is 3"),
        ("'{} is {}'.format('a', 3)", "a is 3"),
        ("'a\nb'|indent(2)", "a\n  b"),
        ("'aXb'|replace('X', '-')", "a-b"),
        ("x is defined", "False"),
        ("(x.y is defined) if x else 'no'", "no"),
        ("3 is odd and 3 is eq 3", "True"),
        ("-7 // 2", "-4"),
    ] {
        let made = rendered(&format!("{{{{ {expression} }}}}"));
        assert_eq!(made.as_deref(), Ok(text), "{expression}");
    }
}

#[test]
fn a_long_conversation_is_rendered_whole() {
    let messages: Vec<Message> = (0..400)
        .map(|n| {
            Message::new(
                if n % 2 == 0 { "user" } else { "assistant" },
                "word ".repeat(1000),
            )
        })
        .collect();
    let template = "{%- set ns = namespace(last='') -%}{%- for m in messages -%}{%- if m.content is string and '</think>' in m.content                     -%}{%- set ns.last = m.content.split('</think>')[-1].lstrip('\n') -%}{%- endif -%}{{ '<|im_start|>' + m.role + '\n'                     + m.content|trim + '<|im_end|>' + '\n' }}{%- if loop.index0 == messages|length - 1 -%}{{ m.content }}{%- endif -%}                    {%- endfor -%}";
    let whole = TemplateInput {
        input_bytes: 400 * 5000,
        ..input(&messages)
    };
    assert!(render(template, &whole).unwrap().len() > 400 * 4990);
}

/// What jinja2 makes of templates: the case, the template, the text.
const JINJA2: &[(&str, &str, &str)] = &[
    (
        "joiner",
        "{% set j = joiner(',') %}{% for x in ['a', 'b'] %}{{ j() }}{{ x }}{% endfor %}",
        "a,b",
    ),
    (
        "macro_kw",
        "{% macro f(x) %}{{ x }}{{ kwargs.z }}{% endmacro %}{{ f(1, z='x') }}",
        "1x",
    ),
    (
        "macro_kw",
        "{% macro f(a, b='x') %}{{ a }}{{ b }}{% endmacro %}{{ f(b='y', a=1) }}{{ f(2) }}",
        "1y2x",
    ),
    (
        "macro_kw",
        "{% macro f(a) %}{{ a }}{{ caller() }}{% endmacro %}{% call f(a=1) %}c{% endcall %}",
        "1c",
    ),
    ("percent", "{{ '%s-%d' % ('a', 3) }}", "a-3"),
    (
        "percent1",
        "{{ 'x %s' % ' Hello World, a long enough text ' }}",
        "x  Hello World, a long enough text ",
    ),
    (
        "percent",
        "{{ '%(a)s and %(b)02d' % {'a': 'x', 'b': 3} }}{{ 7 % 3 }}{{ -7 % 3 }}{{ 7.5 % 2 }}",
        "x and 03121.5",
    ),
    (
        "removeprefix",
        "{{ 'abc'.removeprefix('a') }}{{ 'abc'.removesuffix('bc') }}",
        "bca",
    ),
    (
        "starts_pos",
        "{{ 'abc'.startswith('b', 1) }}{{ 'abc'.endswith('b', 0, 2) }}{{ 'abcb'.find('b', 2) }}",
        "TrueTrue3",
    ),
    (
        "starts_pos",
        "{{ 'abc'.startswith(('x', 'a')) }}{{ 'abc'.startswith(('x', 'b'), 1) }}",
        "TrueTrue",
    ),
    (
        "tojson_sep",
        "{{ {'a': 1} | tojson(separators=(',', ':')) }}",
        "{\"a\":1}",
    ),
    (
        "tojson_sep",
        "{{ {'b': [], 'a': ['é']} | tojson(indent=1, sort_keys=true, ensure_ascii=true) }}",
        "{\n \"a\": [\n  \"\\u00e9\"\n ],\n \"b\": []\n}",
    ),
    ("wordcount", "{{ 'one two, three!' | wordcount }}", "3"),
    ("zfill", "{{ '7'.zfill(3) }}{{ '-7'.zfill(4) }}", "007-007"),
    (
        "is_tests",
        "{% macro m() %}{% endmacro %}{{ 1 is number }}{{ 'a' is string }}{{ {} is mapping }}{{ [] is sequence }}{{ x is undefined }}\
             {{ m is defined }}{{ none is none }}{{ true is boolean }}{{ 1 is integer }}{{ 1.5 is float }}{{ [] is iterable }}\
             {{ true is true }}{{ m is callable }}",
        "TrueTrueTrueTrueTrueTrueTrueTrueTrueTrueTrueTrueTrue",
    ),
    (
        "is_tests",
        "{{ 'a' is callable }}{{ range is callable }}{{ {} is callable }}{{ namespace() is callable }}",
        "FalseTrueFalseFalse",
    ),
    (
        "others",
        "{{ 'a,b,c'.rsplit(',', 1) }}{{ 'a b'.split(maxsplit=1) }}",
        "['a,b', 'c']['a', 'b']",
    ),
    (
        "others",
        "{{ 'k=v=w'.partition('=')[2] }}{{ 'ab'.center(5, '*') }}{{ 'ab'.rjust(3) }}",
        "v=w**ab* ab",
    ),
    (
        "others",
        "{{ [1, 2, 3] | batch(2) | list | length }}{{ [1, 2] | sum }}{{ [5, 6].index(6) }}",
        "231",
    ),
    (
        "others",
        "{% for k, g in [{'a': 1}, {'a': 1}] | groupby('a') %}{{ k }}{{ g | length }}{% endfor %}",
        "12",
    ),
    (
        "others",
        "{{ '{\n'|indent(4, first=true) }}{{ 'a\n\nb'|indent(2) }}{{ 'a\n\nb'|indent(width='> ', blank=true) }}",
        "    {\na\n\n  ba\n> \n> b",
    ),
];

#[test]
fn what_jinja2_offers_to_templates_is_there() {
    for (id, template, text) in JINJA2 {
        assert_eq!(rendered(template).as_deref(), Ok(*text), "J-{id}: {template}");
    }
}

#[test]
fn generation_blocks_are_transparent_g12() {
    let template = "{%- for m in messages %}\n  {%- generation -%}\n {{ m.role }} \n{%- endgeneration %}\n{% endfor %}end";
    assert_eq!(rendered(template).unwrap(), "userend");
    assert_eq!(
        rendered("{{ 'generation' }}{% if generation %}x{% endif %}").unwrap(),
        "generation"
    );
}

#[test]
fn python_in_templates_of_new_families_works_g13() {
    let template = "{%- set ns = namespace(n=0, last='') -%}{%- macro bold(t, mark='**') -%}{{ mark ~ t ~ mark }}{%- endmacro -%}\
        {%- for m in messages[:1] -%}{%- if m.role.startswith(('user', 'x')) -%}{%- set ns.n = ns.n + 1 -%}{{ bold(m.role) }}{%- endif -%}\
        {%- if loop.index > 9 -%}{%- break -%}{%- endif -%}{%- endfor -%}{{ '%s|%d' % ('a', ns.n) }}\
        {%- for k, v in {'b': [1]}.items() -%}{{ k }}={{ v | tojson(indent=2) }}{%- endfor -%}\
        {{ messages | selectattr('role', 'equalto', 'user') | list | length }}";
    assert_eq!(rendered(template).unwrap(), "**user**a|1b=[\n  1\n]1");
}
