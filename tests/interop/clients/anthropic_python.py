"""Anthropic's own client: `/v1/messages` with `x-api-key`."""

import anthropic
from harness import *

client = anthropic.Anthropic(base_url=URL, api_key=KEY, max_retries=0)
HI = {"model": AGENT, "messages": QUESTION, "max_tokens": 100}
TOOL = {
    "name": "get_weather",
    "description": WEATHER["function"]["description"],
    "input_schema": WEATHER["function"]["parameters"],
}


def said(**more):
    return client.messages.create(**{**HI, **more})


@test("anthropic")
def answers():
    answer = said(system="Be short.")
    assert [block.text for block in answer.content] == [SAID] and answer.stop_reason == "end_turn", answer
    assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0 and answer.role == "assistant", answer
    cut, stopped = said(max_tokens=1), said(stop_sequences=["world"])
    assert cut.stop_reason == "max_tokens", cut
    # The client has no word for it any more; servers take it.
    assert said(extra_body={"temperature": 0, "top_k": 5}).content[0].text == SAID
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "world"), stopped


@test("anthropic")
def streams():
    with client.messages.stream(**HI) as stream:
        assert "".join(stream.text_stream) == SAID
        final = stream.get_final_message()
    assert final.stop_reason == "end_turn" and final.usage.output_tokens > 0, final
    kinds = [event.type for event in said(stream=True)]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"], kinds


@test("anthropic")
def counts_tokens():
    count = client.messages.count_tokens(model=AGENT, messages=QUESTION).input_tokens
    usage = said().usage
    # What was read from the cache counts apart.
    assert count == usage.input_tokens + (usage.cache_read_input_tokens or 0), (count, usage)


@test("anthropic", "tools")
def calls_tools_and_goes_on():
    answer = said(tools=[TOOL])
    call = next(block for block in answer.content if block.type == "tool_use")
    assert answer.stop_reason == "tool_use" and (call.name, call.input) == ("get_weather", {"city": "Paris"}), answer
    result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "sunny"}]}
    turns = [*QUESTION, {"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
    assert said(tools=[TOOL], messages=turns).content[0].text == TOLD
    for choice in ({"type": "any"}, {"type": "tool", "name": "get_weather"}):
        with client.messages.stream(**HI, tools=[TOOL], tool_choice=choice) as stream:
            call = next(block for block in stream.get_final_message().content if block.type == "tool_use")
        is_a_call(call.name, call.input)


@test("anthropic", "thinking")
def thinks():
    answer = client.messages.create(
        model=AGENT, messages=QUESTION, max_tokens=2000, thinking={"type": "enabled", "budget_tokens": 1024}
    )
    kinds = {block.type: block for block in answer.content}
    assert kinds["thinking"].thinking.strip() == THOUGHT and kinds["text"].text.strip() == CONCLUDED, answer


@test("anthropic")
def errors_are_anthropics():
    error = raises(anthropic.NotFoundError, lambda: said(model="no-such-model"))
    assert error.body["type"] == "error" and error.body["error"]["type"] == "not_found_error", error.body
    error = raises(anthropic.BadRequestError, lambda: said(messages=TOO_LONG))
    assert "prompt is too long" in error.body["error"]["message"] or "context" in error.body["error"]["message"], error.body
    raises(anthropic.BadRequestError, lambda: said(messages=[]))


@test("anthropic", "keys")
def a_wrong_key_is_refused():
    other = client.with_options(api_key="sk-hearth-wrong")
    raises(anthropic.AuthenticationError, lambda: other.messages.create(**HI))


@test("anthropic")
def a_closed_stream_stops_the_answer():
    stream = client.messages.create(model=DEMO, messages=LONG_QUESTION, max_tokens=1500, stream=True)
    next(iter(stream))
    answers_run()
    stream.close()
    none_runs()


run()
