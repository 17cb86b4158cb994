"""Chats with a Hearth node through Ollama's own client."""

import ollama

from checks import LOCAL, QUESTION, URL, raises, run, token

client = ollama.Client(host=URL, headers={"Authorization": f"Bearer {token()}"}, timeout=180)
MESSAGES = [{"role": "user", "content": QUESTION}]
OPTIONS = {"temperature": 0, "num_predict": 24, "num_ctx": 2048, "seed": 1}


def get_weather(place: str) -> str:
    """The weather of a place.

    Args:
      place: Where.
    """
    return f"Sunny in {place}."


def models_are_listed_and_shown():
    names = [model.model for model in client.list().models]
    assert LOCAL in names, names
    shown = client.show(f"{LOCAL}:latest")
    assert "completion" in shown.capabilities, shown
    with raises(ollama.ResponseError, "no-such-model"):
        client.show("no-such-model")


def chat_and_stream_agree():
    whole = client.chat(LOCAL, MESSAGES, options=OPTIONS)
    assert whole.done and whole.message.role == "assistant" and whole.message.content.strip(), whole
    assert whole.prompt_eval_count > 0 and 0 < whole.eval_count <= 24 and whole.total_duration > 0, whole
    parts = list(client.chat(f"{LOCAL}:latest", MESSAGES, options=OPTIONS, stream=True))
    assert len(parts) > 2 and [part.done for part in parts].count(True) == 1 and parts[-1].done, parts
    assert "".join(part.message.content for part in parts) == whole.message.content
    running = [model.model for model in client.ps().models]
    assert LOCAL in running, running


def generate_and_stream_agree():
    whole = client.generate(LOCAL, QUESTION, system="Be friendly.", options=OPTIONS)
    parts = list(client.generate(LOCAL, QUESTION, system="Be friendly.", options=OPTIONS, stream=True))
    assert "".join(part.response for part in parts) == whole.response and whole.response, whole
    assert whole.done_reason in ("stop", "length"), whole
    raw = client.generate(LOCAL, "The capital of France is", raw=True, options={"num_predict": 4, "temperature": 0})
    assert raw.response.strip(), raw
    assert client.generate(LOCAL).done_reason == "load"


def formats_and_tools_are_obeyed_or_refused():
    """A model that can do neither says so."""
    for more in [{"format": "json"}, {"tools": [get_weather]}]:
        try:
            made = client.chat(LOCAL, MESSAGES, options=OPTIONS, **more)
        except ollama.ResponseError as error:
            assert error.status_code == 400, error
        else:
            assert made.message.content or made.message.tool_calls, made


def errors_are_ollamas():
    with raises(ollama.ResponseError, "no-such-model"):
        client.chat("no-such-model", MESSAGES)
    with raises(ollama.ResponseError, "no-such-model"):
        list(client.chat("no-such-model", MESSAGES, stream=True))
    with raises(ollama.ResponseError, "hearth model add"):
        client.pull("llama3")
    with raises(ollama.ResponseError, "options.temperature"):
        client.chat(LOCAL, MESSAGES, options={"temperature": 9})
    with raises(ollama.ResponseError, "maximum context length"):
        client.chat(LOCAL, [{"role": "user", "content": "word " * 20000}])
    with raises(ollama.ResponseError, LOCAL):
        client.embed(LOCAL, "text")


run(
    [
        models_are_listed_and_shown,
        chat_and_stream_agree,
        generate_and_stream_agree,
        formats_and_tools_are_obeyed_or_refused,
        errors_are_ollamas,
    ]
)
