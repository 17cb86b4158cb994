"""Chats with a Hearth node through Anthropic's own client."""

import anthropic

from checks import LOCAL, QUESTION, URL, raises, run, token

client = anthropic.Anthropic(base_url=URL, api_key=token(), max_retries=0, timeout=180)
MESSAGES = [{"role": "user", "content": QUESTION}]
# The newest client has no names for these; the API has.
GREEDY = {"temperature": 0}
TOOLS = [
    {
        "name": "get_weather",
        "description": "The weather of a place.",
        "input_schema": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    }
]


def ask(messages=MESSAGES, **more):
    return client.messages.create(model=LOCAL, max_tokens=24, messages=messages, extra_body=GREEDY, **more)


def text(message):
    return "".join(block.text for block in message.content if block.type == "text")


def a_message_is_answered():
    message = ask(system="Be friendly.")
    assert message.role == "assistant" and message.type == "message" and message.model == LOCAL, message
    assert text(message).strip(), message
    assert message.stop_reason in ("end_turn", "max_tokens"), message
    assert message.usage.input_tokens > 0 and 0 < message.usage.output_tokens <= 24, message.usage


def a_stream_agrees():
    with client.messages.stream(model=LOCAL, max_tokens=24, messages=MESSAGES, extra_body=GREEDY) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(pieces) > 1 and "".join(pieces) == text(final) == text(ask()), (pieces, final)
    assert final.usage.input_tokens > 0 and final.usage.output_tokens > 0, final.usage


def raw_events_are_typed():
    events = list(ask(stream=True))
    kinds = [event.type for event in events]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"], kinds
    # Programs show how full the context is by this number.
    assert events[0].message.usage.input_tokens > 0, events[0]
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 1, kinds


def blocks_of_all_kinds_are_read():
    message = ask(
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}]},
            {"role": "assistant", "content": [{"type": "text", "text": "Who are you?"}]},
            {"role": "user", "content": "Ada."},
        ],
        system=[{"type": "text", "text": "Be brief."}],
        stop_sequences=["\n\n"],
    )
    assert message.stop_reason is not None, message


def tools_are_offered_or_refused():
    """A small model may call or talk; one without tools says so."""
    try:
        message = ask(tools=TOOLS, tool_choice={"type": "auto"})
    except anthropic.BadRequestError as error:
        assert error.body["error"]["type"] == "invalid_request_error", error.body
    else:
        assert {block.type for block in message.content} <= {"text", "thinking", "tool_use"}, message


def tokens_are_counted():
    def read(**more):
        """What was read, of a prompt that the node may still have in memory."""
        usage = ask(**more).usage
        return usage.input_tokens + usage.cache_read_input_tokens

    counted = client.messages.count_tokens(model=LOCAL, messages=MESSAGES)
    assert counted.input_tokens == read(), counted
    system = "Be friendly to everybody."
    counted = client.messages.count_tokens(model=LOCAL, messages=MESSAGES, system=system)
    assert counted.input_tokens == read(system=system), counted


def models_are_listed():
    models = {model.id: model for model in client.models.list()}
    assert models[LOCAL].type == "model" and models[LOCAL].created_at.year > 2000, models
    assert client.models.retrieve(LOCAL).display_name == LOCAL
    with raises(anthropic.NotFoundError, "no-such-model", "not_found_error"):
        client.models.retrieve("no-such-model")


def errors_are_anthropics():
    with raises(anthropic.NotFoundError, "no-such-model", "not_found_error"):
        client.messages.create(model="no-such-model", max_tokens=5, messages=MESSAGES)
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    with raises(anthropic.BadRequestError, "messages[0].content[0].type", "image"):
        ask(messages=[{"role": "user", "content": [image]}])
    with raises(anthropic.BadRequestError, "web_search"):
        ask(tools=[{"type": "web_search_20250305", "name": "web_search"}])
    with raises(anthropic.BadRequestError, "maximum context length"):
        ask(messages=[{"role": "user", "content": "word " * 20000}])


run(
    [
        a_message_is_answered,
        a_stream_agrees,
        raw_events_are_typed,
        blocks_of_all_kinds_are_read,
        tools_are_offered_or_refused,
        tokens_are_counted,
        models_are_listed,
        errors_are_anthropics,
    ]
)
