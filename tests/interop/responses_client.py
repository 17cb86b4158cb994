"""The Responses API of a Hearth node through OpenAI's own client."""

import openai
from pydantic import BaseModel

from checks import LOCAL, QUESTION, URL, raises, run, token

client = openai.OpenAI(base_url=f"{URL}/v1", api_key=token(), max_retries=0, timeout=180)
TOOLS = [
    {
        "type": "function",
        "name": "get_weather",
        "description": "The weather of a place.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
        "strict": False,
    }
]


class Greeting(BaseModel):
    text: str


def ask(**more):
    return client.responses.create(model=LOCAL, max_output_tokens=24, temperature=0, **more)


def a_response_is_made():
    made = ask(input=QUESTION, instructions="Be friendly.", metadata={"who": "test"})
    assert made.object == "response" and made.status in ("completed", "incomplete"), made
    assert made.output_text.strip() and made.output[-1].type == "message", made
    assert made.usage.total_tokens == made.usage.input_tokens + made.usage.output_tokens, made.usage
    assert made.metadata == {"who": "test"} and made.instructions == "Be friendly.", made


def a_cut_response_is_incomplete():
    made = client.responses.create(model=LOCAL, input=QUESTION, max_output_tokens=2)
    assert made.status == "incomplete" and made.incomplete_details.reason == "max_output_tokens", made


def raw_events_agree_with_the_whole():
    whole, text, kinds = ask(input=QUESTION), "", []
    for number, event in enumerate(ask(input=QUESTION, stream=True)):
        assert event.sequence_number == number, event
        kinds.append(event.type)
        if event.type == "response.output_text.delta":
            text += event.delta
    assert text == whole.output_text, (text, whole.output_text)
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ], kinds
    assert kinds[-1] in ("response.completed", "response.incomplete"), kinds


def the_clients_own_stream_adds_up():
    with client.responses.stream(model=LOCAL, input="Say: hello.", max_output_tokens=200, temperature=0) as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert final.status == "completed" and final.output_text == text and text, (final, text)


def conversations_go_on():
    first = ask(input="My name is Ada. Remember it.")
    second = ask(input="What is my name?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert second.usage.input_tokens > first.usage.input_tokens, (first.usage, second.usage)
    listed = list(client.responses.input_items.list(second.id, order="asc", limit=1))
    assert [item.role for item in listed] == ["user", "assistant", "user"], listed
    again = client.responses.retrieve(second.id)
    assert again.output_text == second.output_text
    client.responses.delete(second.id)
    with raises(openai.NotFoundError, second.id):
        client.responses.retrieve(second.id)
    with raises(openai.BadRequestError, "previous_response"):
        ask(input="x", previous_response_id=second.id)


def nothing_is_kept_unless_wanted():
    made = ask(input=QUESTION, store=False)
    with raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def items_of_all_kinds_are_read():
    made = ask(
        input=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
            {"role": "assistant", "content": "Hello, who are you?"},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"role": "user", "content": "Ada."},
        ]
    )
    assert made.output_text.strip(), made


def schemas_are_obeyed_or_refused():
    """A model that cannot be held to a schema says so."""
    try:
        parsed = client.responses.parse(model=LOCAL, input=QUESTION, text_format=Greeting, max_output_tokens=200)
    except openai.BadRequestError as error:
        assert error.type == "invalid_request_error", error.body
    else:
        assert isinstance(parsed.output_parsed, Greeting) or parsed.status == "incomplete", parsed


def tools_are_offered_or_refused():
    """A small model may call or talk; one without tools says so."""
    try:
        made = ask(input="How is the weather in Rome?", tools=TOOLS)
    except openai.BadRequestError as error:
        assert error.type == "invalid_request_error", error.body
    else:
        assert {item.type for item in made.output} <= {"message", "function_call", "reasoning"}, made
        assert made.tools[0].name == "get_weather", made.tools


def errors_are_openais():
    with raises(openai.NotFoundError, "no-such-model"):
        client.responses.create(model="no-such-model", input="x")
    for wrong, param in [
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"truncation": "auto"}, "truncation"),
        ({"background": True}, "background"),
    ]:
        try:
            ask(input="x", **wrong)
        except openai.BadRequestError as error:
            assert error.param == param, error.body
        else:
            raise AssertionError(f"{wrong} was answered")
    try:
        ask(input="word " * 20000)
    except openai.BadRequestError as error:
        assert error.code == "context_length_exceeded" and error.param == "input", error.body
    else:
        raise AssertionError("a prompt beyond the context was answered")


run(
    [
        a_response_is_made,
        a_cut_response_is_incomplete,
        raw_events_agree_with_the_whole,
        the_clients_own_stream_adds_up,
        conversations_go_on,
        nothing_is_kept_unless_wanted,
        items_of_all_kinds_are_read,
        schemas_are_obeyed_or_refused,
        tools_are_offered_or_refused,
        errors_are_openais,
    ]
)
