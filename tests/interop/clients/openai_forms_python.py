"""The official Python client of OpenAI: structured output, tools, thoughts, responses."""

import random

import jsonschema
import openai
from openai_asking import *

THINKING = {"chat_template_kwargs": {"enable_thinking": True}}


@test("schema")
def answers_json_o18():
    for model in (AGENT, DEMO):
        answer = said(model=model, response_format={"type": "json_object"}, max_tokens=150)
        if answer.choices[0].finish_reason == "stop":
            assert isinstance(json.loads(answer.choices[0].message.content), dict), answer


@test("schema")
def answers_of_a_schema_l04_o19():
    answer = chat.parse(model=AGENT, messages=QUESTION, response_format=City, temperature=0)
    assert isinstance(answer.choices[0].message.parsed, City), answer
    schema = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 8}}, "required": ["city"]}
    form = {"type": "json_schema", "json_schema": {"name": "c", "strict": True, "schema": {**schema, "additionalProperties": False}}}
    answer = said(model=DEMO, response_format=form, max_tokens=80)
    assert list(json.loads(answer.choices[0].message.content)) == ["city"], answer
    text, _, _ = text_of(said(response_format=form, stream=True))
    assert list(json.loads(text)) == ["city"], text


def random_schema(chance, depth=0):
    kinds = ["string", "integer", "number", "boolean", "null", "enum", "const"]
    kind = chance.choice(kinds + ([] if depth > 2 else ["object", "array", "anyOf"] * 3))
    low = chance.randint(-50, 50)
    if kind == "object":
        names = chance.sample(["a", "b c", "äö", 'quo"te', "x1", "$y"], chance.randint(1, 4))
        properties = {name: random_schema(chance, depth + 1) for name in names}
        required = [name for name in names if chance.random() < 0.7]
        return {"type": kind, "properties": properties, "required": required, "additionalProperties": False}
    if kind == "array":
        least = chance.randint(0, 2)
        return {"type": kind, "items": random_schema(chance, depth + 1), "minItems": least, "maxItems": least + 2}
    return {
        "anyOf": lambda: {"anyOf": [random_schema(chance, depth + 1) for _ in range(2)]},
        "enum": lambda: {"enum": chance.sample(["red", 5, None, True, "a b", 'q"', {"k": 1}], 3)},
        "const": lambda: {"const": chance.choice(["x", 1, False, None])},
        "integer": lambda: {"type": kind, "minimum": low, "maximum": low + chance.randint(0, 500)},
        "number": lambda: {"type": kind, "minimum": low, "maximum": low + 1.5},
        "string": lambda: chance.choice([{"maxLength": 6}, {"minLength": 2, "maxLength": 9}, {"pattern": "^[a-f]{2,4}$"}])
        | {"type": kind},
    }.get(kind, lambda: {"type": kind})()


@test("schema")
def answers_of_any_schema_are_of_that_schema():
    chance, n_whole = random.Random(11), 0
    for number in range(40):
        schema = random_schema(chance)
        form = {"type": "json_schema", "json_schema": {"name": "any", "strict": True, "schema": schema}}
        model, more = (DEMO, {"max_tokens": 40}) if number % 8 == 0 else (AGENT, {"max_tokens": 400})
        choice = said(model=model, response_format=form, temperature=1, seed=number, **more).choices[0]
        # What is cut by its length is the beginning of such a text.
        if choice.finish_reason == "stop":
            n_whole += 1
            try:
                jsonschema.validate(json.loads(choice.message.content), schema)
            except ValueError as error:
                raise AssertionError((schema, choice.message.content)) from error
    assert n_whole >= 30, n_whole


@test("schema")
def a_schema_that_cannot_be_is_refused():
    for schema in ({"type": "sphere"}, {"$ref": "#/nowhere"}, {"type": "object", "properties": 5}):
        form = {"type": "json_schema", "json_schema": {"name": "c", "schema": schema}}
        error = raises(openai.BadRequestError, lambda: said(response_format=form))
        assert (error.param or "").startswith("response_format"), error.body


@test("tools")
def calls_what_is_required_o21():
    choice = said(tools=[WEATHER, CLOCK], tool_choice="required").choices[0]
    assert choice.finish_reason == "tool_calls" and not choice.message.content, choice
    for call in choice.message.tool_calls:
        assert call.type == "function" and call.id, call
        is_a_call(call.function.name, call.function.arguments)


@test("tools")
def calls_what_is_named_o22():
    named = {"type": "function", "function": {"name": "get_time"}}
    calls = said(tools=[WEATHER, CLOCK], tool_choice=named).choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["get_time"], calls
    is_a_call("get_time", calls[0].function.arguments)
    unknown = {"type": "function", "function": {"name": "nothing"}}
    error = raises(openai.BadRequestError, lambda: said(tools=[WEATHER], tool_choice=unknown))
    assert (error.param or "").startswith("tool_choice"), error.body


@test("tools")
def calls_of_its_own_accord_o20():
    choice = said(tools=[WEATHER]).choices[0]
    call = choice.message.tool_calls[0]
    assert choice.finish_reason == "tool_calls" and not choice.message.content, choice
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Paris"}), call
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    answer = said(tools=[WEATHER], messages=[*QUESTION, choice.message.model_dump(exclude_none=True), result])
    assert answer.choices[0].message.content == TOLD, answer


@test("tools")
def calls_nothing_where_it_may_not():
    choice = said(tools=[WEATHER], tool_choice="none", max_tokens=40).choices[0]
    assert not choice.message.tool_calls and "<tool_call>" not in (choice.message.content or ""), choice


@test("tools")
def streams_calls():
    for tool_choice in ("auto", "required"):
        _, reasons, chunks = text_of(said(tools=[WEATHER], tool_choice=tool_choice, stream=True))
        deltas = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or []]
        assert reasons == ["tool_calls"] and deltas[0].id and deltas[0].index == 0, (reasons, deltas)
        assert [delta.function.name for delta in deltas if delta.function.name] == ["get_weather"], deltas
        is_a_call("get_weather", "".join(delta.function.arguments or "" for delta in deltas))
        text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        assert "tool_call" not in text, text
    with chat.stream(model=AGENT, messages=QUESTION, tools=[openai.pydantic_function_tool(City)], tool_choice="required") as stream:
        for _ in stream:
            pass
        call = stream.get_final_completion().choices[0].message.tool_calls[0]
        assert isinstance(call.function.parsed_arguments, City), call


@test("tools")
def calls_legacy_functions_o24():
    answer = said(functions=[WEATHER["function"]], function_call={"name": "get_weather"}).choices[0]
    assert answer.finish_reason == "function_call", answer
    is_a_call(answer.message.function_call.name, answer.message.function_call.arguments)


@test("tools")
def a_model_without_tools_says_so_g10():
    for more in ({"tools": [WEATHER]}, {"tools": [WEATHER], "tool_choice": "required"}):
        error = raises(openai.BadRequestError, lambda: said(model=DEMO, max_tokens=4, **more))
        assert "tool" in error.body["message"] and (error.param or "").startswith("tool"), error.body


@test("tools")
def wrong_tools_are_named():
    for tools in (
        [{"type": "function"}],
        [{"type": "function", "function": {"name": ""}}],
        [{"type": "function", "function": {"name": "a b c!"}}],
        [{"type": "function", "function": {"name": "f", "parameters": {"type": "sphere"}}}],
    ):
        error = raises(openai.BadRequestError, lambda: said(tools=tools, tool_choice="required"))
        assert (error.param or "").startswith("tools"), (tools, error.body)


@test("thinking")
def thoughts_are_apart():
    answer = said(extra_body=THINKING)
    message = answer.choices[0].message
    assert message.reasoning_content.strip() == THOUGHT and message.content.strip() == CONCLUDED, message
    assert answer.usage.completion_tokens_details.reasoning_tokens > 0, answer.usage
    text, _, chunks = text_of(said(extra_body=THINKING, stream=True))
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    thought = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
    assert (thought.strip(), text.strip()) == (THOUGHT, CONCLUDED), (thought, text)


@test("responses")
def responds_l05_t40():
    answer = client.responses.create(model=AGENT, input="Hi", temperature=0)
    assert answer.output_text == SAID and answer.status == "completed", answer
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens, answer.usage
    answer = client.responses.create(model=AGENT, instructions="Be short.", input=[{"role": "user", "content": "Hi"}])
    assert answer.output_text == SAID, answer


@test("responses")
def responds_as_a_stream():
    events = list(client.responses.create(model=AGENT, input="Hi", temperature=0, stream=True))
    kinds = [event.type for event in events]
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == SAID, kinds
    assert [event.sequence_number for event in events] == list(range(len(events))), events
    with client.responses.stream(model=AGENT, input="Hi") as stream:
        stream.until_done()
        assert stream.get_final_response().output_text == SAID


@test("responses")
def goes_on_from_a_response():
    first = client.responses.create(model=AGENT, input="Hi")
    second = client.responses.create(model=AGENT, input="And you?", previous_response_id=first.id)
    assert second.output_text == SAID and second.usage.input_tokens > first.usage.input_tokens, second
    assert client.responses.retrieve(first.id).output_text == SAID
    client.responses.delete(first.id)
    raises(openai.NotFoundError, lambda: client.responses.retrieve(first.id))
    unkept = client.responses.create(model=AGENT, input="Hi", store=False)
    go_on = lambda: client.responses.create(model=AGENT, input="a", previous_response_id=unkept.id)
    assert "previous_response_id" in (raises(openai.APIStatusError, go_on).param or "")


@test("responses", "tools")
def responds_with_calls():
    tool = {"type": "function", "strict": True, **WEATHER["function"]}
    answer = client.responses.create(model=AGENT, input="Hi", tools=[tool], tool_choice="required")
    call = next(item for item in answer.output if item.type == "function_call")
    is_a_call(call.name, call.arguments)
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    told = client.responses.create(model=AGENT, input=[result], tools=[tool], previous_response_id=answer.id)
    assert told.output_text == TOLD, told
    kinds = [event.type for event in client.responses.create(model=AGENT, input="Hi", tools=[tool], stream=True)]
    assert "response.function_call_arguments.done" in kinds, kinds


@test("responses", "schema")
def responds_of_a_schema():
    answer = client.responses.parse(model=AGENT, input="Hi", text_format=City)
    assert isinstance(answer.output_parsed, City), answer


@test("responses")
def what_cannot_be_responded_is_told():
    raises(openai.NotFoundError, lambda: client.responses.create(model="no-such-model", input="Hi"))
    error = raises(openai.BadRequestError, lambda: client.responses.create(model=AGENT, input=5))
    assert (error.param or "").startswith("input"), error.body
    error = raises(openai.BadRequestError, lambda: client.responses.create(model=AGENT, input=TOO_LONG))
    assert error.code == "context_length_exceeded", error.body


run()
