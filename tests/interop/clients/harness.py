"""What the tests of all Python clients share: the node, its models, counting, and what the node is asked beside.

A test prints `ok NAME` or `FAILED NAME: why`. One that needs a feature that the node lacks prints `skipped NAME: why`,
which `--strict` turns into a failure.
"""

import asyncio
import enum
import functools
import inspect
import json
import os
import sys
import time
import traceback
import urllib.error
import urllib.request

from pydantic import BaseModel

URL, KEY = os.environ["NODE_URL"], os.environ["NODE_KEY"]
BASE = f"{URL}/v1"
# The agent's words are in tiny_models.py.
DEMO, AGENT, EMBEDDER = "smollm2-135m-instruct", "tiny-agent", "tiny-embed"
SAID, TOLD, THOUGHT, CONCLUDED = "Hello world!", "It is sunny.", "Let me see", "Done"
QUESTION = [{"role": "user", "content": "What is the weather in Paris?"}]
LONG_QUESTION = [{"role": "user", "content": "Write a very long story about a dog, in ten chapters."}]
# Longer than the context of the agent, 4096 tokens.
TOO_LONG = [{"role": "user", "content": "z" * 6000}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
CLOCK = {
    "type": "function",
    "function": {
        "name": "get_time",
        "description": "Tells the time of a zone.",
        "parameters": {
            "type": "object",
            "properties": {"zone": {"type": "string", "enum": ["UTC", "CET"]}},
            "required": ["zone"],
            "additionalProperties": False,
        },
    },
}


class Climate(enum.Enum):
    WARM = "warm"
    COLD = "cold"


class City(BaseModel):
    """A city."""

    name: str
    people: int
    climate: Climate
    districts: list[str]


def post(path, body, headers=None):
    """Status and body of a plain request; the body as JSON where it is."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", **(headers or {})}
    return ask(urllib.request.Request(URL + path, data, headers))


def ask(request):
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text.decode(errors="replace")


@functools.cache
def lacks(feature):
    """What the node does in place of a feature; empty where it has it."""
    chat = {"model": AGENT, "messages": QUESTION, "max_tokens": 200}
    path, body = {
        "tools": ("/v1/chat/completions", {**chat, "tools": [WEATHER], "tool_choice": "required"}),
        "schema": ("/v1/chat/completions", {**chat, "response_format": {"type": "json_object"}}),
        "thinking": ("/v1/chat/completions", {**chat, "chat_template_kwargs": {"enable_thinking": True}}),
        "responses": ("/v1/responses", {"model": AGENT, "input": "Hi"}),
        "bare paths": ("/chat/completions", chat),
        "keys": ("/v1/chat/completions", chat),
        "ollama": ("/api/chat", {**chat, "stream": False}),
        "anthropic": ("/v1/messages", chat),
    }[feature]
    if feature == "keys":
        status, _ = post(path, body, {"Authorization": "Bearer sk-hearth-wrong"})
        return "" if status == 401 else f"a wrong key gets status {status}"
    status, answer = post(path, body)
    if status != 200:
        return f"{path} gives {status} {json.dumps(answer)[:200]}"
    message = answer["choices"][0]["message"] if "choices" in answer else {}
    if feature == "tools" and not message.get("tool_calls"):
        return "a call that is required is not made"
    if feature == "thinking" and not message.get("reasoning_content"):
        return "the thought is not apart"
    return ""


def running_answers():
    request = urllib.request.Request(f"{URL}/metrics", headers={"Authorization": f"Bearer {KEY}"})
    _, text = ask(request)
    line = next(line for line in text.splitlines() if line.startswith("hearth_running_answers "))
    return float(line.split()[1])


def answers_run():
    """Waits until an answer runs."""
    waits_until(lambda: running_answers() > 0, "no answer runs")


def none_runs():
    """Waits until no answer runs. Other clients may be at work, whose answers are short."""
    waits_until(lambda: running_answers() == 0, "an answer runs on that nobody waits for")


def waits_until(holds, otherwise):
    # A long answer that is not stopped takes a minute and more.
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until, otherwise
        time.sleep(0.05)


def raises(kind, call):
    """The error of that kind which `call` raises."""
    try:
        answer = call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}: {answer!r}"[:500])


def is_a_call(name, arguments):
    """Arguments of one of the two tools, as JSON, of its schema."""
    arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
    if name == "get_weather":
        assert list(arguments) == ["city"] and isinstance(arguments["city"], str), arguments
    else:
        assert name == "get_time" and arguments in ({"zone": "UTC"}, {"zone": "CET"}), (name, arguments)


TESTS = []


def test(*needs):
    """Adds a test; `needs` are features without which it is skipped."""

    def add(function):
        TESTS.append((function, needs))
        return function

    return add


def run():
    strict = "--strict" in sys.argv
    only = [word for word in sys.argv[1:] if not word.startswith("--")]
    client = os.path.basename(sys.argv[0]).removesuffix(".py")
    passed = failed = 0
    for function, needs in TESTS:
        name = f"{client}.{function.__name__}"
        if only and not any(word in name for word in only):
            continue
        lacking = next(filter(None, map(lacks, needs)), "")
        if lacking and not strict:
            print(f"skipped {name}: {lacking}", flush=True)
            continue
        began = time.monotonic()
        try:
            if lacking:
                raise AssertionError(lacking)
            asyncio.run(function()) if inspect.iscoroutinefunction(function) else function()
        except Exception as error:
            failed += 1
            why = " ".join(f"{type(error).__name__}: {error}".split())
            print(f"FAILED {name}: {why[:600]}", flush=True)
            if "--trace" in sys.argv:
                traceback.print_exc(file=sys.stdout)
            continue
        passed += 1
        print(f"ok     {name} {time.monotonic() - began:.1f} s", flush=True)
    print(f"counted: {passed} {failed}")
    sys.exit(failed > 0)
