"""Ollama's own client."""

import ollama
from harness import *

client = ollama.Client(host=URL, headers={"Authorization": f"Bearer {KEY}"})
GREEDY = {"temperature": 0}


@test("ollama")
def lists_and_shows_models():
    names = [model.model for model in client.list().models]
    assert any(name.split(":")[0] == AGENT for name in names), names
    shown = client.show(AGENT)
    assert "completion" in shown.capabilities and shown.modelinfo["general.architecture"] == "llama", shown
    assert "embedding" in client.show(EMBEDDER).capabilities
    client.chat(AGENT, QUESTION)
    assert any(model.model.split(":")[0] == AGENT for model in client.ps().models), client.ps()


@test("ollama", "tools", "thinking")
def tells_what_a_model_can():
    assert {"completion", "tools", "thinking"} <= set(client.show(AGENT).capabilities), client.show(AGENT)
    assert "tools" not in client.show(DEMO).capabilities


@test("ollama")
def chats_and_streams():
    answer = client.chat(AGENT, QUESTION, options=GREEDY)
    assert answer.message.content == SAID and answer.done and answer.done_reason == "stop", answer
    assert answer.eval_count > 0 and answer.prompt_eval_count > 0 and answer.total_duration > 0, answer
    pieces = list(client.chat(AGENT, QUESTION, stream=True, options=GREEDY))
    assert "".join(piece.message.content for piece in pieces) == SAID and pieces[-1].done, pieces
    assert [piece.done for piece in pieces[:-1]] == [False] * (len(pieces) - 1), pieces


@test("ollama")
def a_name_may_have_latest_behind_it():
    assert client.chat(f"{AGENT}:latest", QUESTION, options=GREEDY).message.content == SAID


@test("ollama")
def generates():
    assert client.generate(AGENT, "Hi", options=GREEDY).response == SAID
    assert "".join(piece.response for piece in client.generate(AGENT, "Hi", stream=True, options=GREEDY)) == SAID
    few = client.generate(AGENT, "Hi", options={**GREEDY, "num_predict": 1})
    assert few.response == "Hello" and few.done_reason == "length", few


@test("ollama")
def embeds():
    answer = client.embed(EMBEDDER, ["a dog", "the sea"])
    assert [len(vector) for vector in answer.embeddings] == [32, 32], answer


@test("ollama", "tools")
def calls_tools_and_goes_on():
    answer = client.chat(AGENT, QUESTION, tools=[WEATHER], options=GREEDY)
    call = answer.message.tool_calls[0].function
    assert (call.name, dict(call.arguments)) == ("get_weather", {"city": "Paris"}), answer
    result = {"role": "tool", "tool_name": "get_weather", "content": "sunny"}
    told = client.chat(AGENT, [*QUESTION, answer.message, result], tools=[WEATHER], options=GREEDY)
    assert told.message.content == TOLD, told


@test("ollama", "schema")
def answers_of_a_schema():
    answer = client.chat(AGENT, QUESTION, format=City.model_json_schema(), options=GREEDY)
    City.model_validate_json(answer.message.content)
    json.loads(client.generate(AGENT, "Hi", format="json", options=GREEDY).response)


@test("ollama", "thinking")
def thoughts_are_apart():
    message = client.chat(AGENT, QUESTION, think=True, options=GREEDY).message
    assert message.thinking.strip() == THOUGHT and message.content.strip() == CONCLUDED, message


@test("ollama")
def an_unknown_model_is_not_found():
    error = raises(ollama.ResponseError, lambda: client.chat("no-such-model", QUESTION))
    assert error.status_code == 404 and "no-such-model" in error.error, error


@test("ollama")
def a_stream_that_is_left_stops():
    pieces = client.chat(DEMO, LONG_QUESTION, stream=True, options={"num_predict": 1500})
    next(pieces)
    answers_run()
    pieces.close()
    none_runs()


run()
