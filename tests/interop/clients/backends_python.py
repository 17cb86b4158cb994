"""Answers of other servers, healthy and broken ones, through the node: see fake_servers.py."""

import contextlib

import openai
from harness import *

CONFIG = open(os.environ["NODE_CONFIG"]).read()
CONTROL = CONFIG.splitlines()[0].removeprefix("# ")
PORTS = dict(zip(["vllm", "ollama", "odd"], [line.split('"')[1] for line in CONFIG.splitlines() if line.startswith("url")]))
TOKEN = open(os.environ["NODE_TOKEN_FILE"]).read().strip()
THE_ANSWER = "The answer is 42."
VLLM, OLLAMA, ODD, SHARED = "vllm/Qwen/Qwen3-8B", "ollama/llama3.2:latest", "odd/odd-model", "shared"
ALIAS = "gpt-4o"
# Ways to fail before the first byte of an answer.
FAILURES = ["dead", "html", "unauthorised", "redirect", "broken", "busy", "other shape", "another", "hangs"]

client = openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0, timeout=60)


def control(path, method="GET"):
    return ask(urllib.request.Request(f"{CONTROL}/{path}", method=method))[1]


@contextlib.contextmanager
def behaving(**modes):
    """Fakes that behave so for a while, and are known as well before and after."""
    for name, mode in modes.items():
        control(f"{name}/{mode.replace(' ', '-')}", "POST")
    try:
        yield
    finally:
        for name, model in (("vllm", VLLM), ("ollama", OLLAMA), ("odd", ODD)):
            control(f"{name}/well", "POST")
            said(model)


def said(model, **more):
    return client.chat.completions.create(model=model, messages=QUESTION, **more)


def streamed(model, **more):
    chunks = list(said(model, stream=True, **more))
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices), chunks


def page_models():
    """What the page shows of models, by id."""
    request = urllib.request.Request(f"{URL}/api/v1/models", headers={"Authorization": f"Bearer {TOKEN}"})
    status, answer = ask(request)
    assert status == 200, answer
    return {model["id"]: model for model in answer["models"]}


@test()
def answers_of_each_shape_arrive():
    for model, own in ((VLLM, "Qwen/Qwen3-8B"), (OLLAMA, "llama3.2:latest")):
        answer = said(model)
        assert answer.choices[0].message.content == THE_ANSWER and answer.model == model, answer
        assert answer.choices[0].finish_reason == "stop" and answer.usage.total_tokens == 14, answer
        seen = control(model.split("/")[0])["last"]
        assert seen["body"]["model"] == own and seen["path"] == "/v1/chat/completions", seen


@test()
def streams_of_each_shape_arrive():
    for model in (VLLM, OLLAMA):
        text, chunks = streamed(model, stream_options={"include_usage": True})
        assert text == THE_ANSWER and len(chunks) > 4, chunks
        assert chunks[-1].usage.total_tokens == 14 and {chunk.model for chunk in chunks} == {model}, chunks
        reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
        assert reasons == ["stop"], chunks


@test()
def embeddings_arrive():
    answer = client.embeddings.create(model=VLLM, input=["a", "b"], encoding_format="float")
    assert [entry.embedding for entry in answer.data] == [[0.5, 0.25]] * 2, answer


@test()
def a_server_gets_its_own_key_and_all_fields():
    said(VLLM, seed=3, extra_body={"guided_choice": ["a", "b"], "min_p": 0.1, "top_k": 5})
    seen = control("vllm")["last"]
    assert seen["headers"]["authorization"] == "Bearer sk-of-the-backend", seen["headers"]
    assert KEY not in json.dumps(seen), seen
    wanted = {"seed": 3, "guided_choice": ["a", "b"], "min_p": 0.1, "top_k": 5}
    assert {name: seen["body"].get(name) for name in wanted} == wanted, seen["body"]


@test()
def models_are_listed_with_their_servers_name():
    ids = [model.id for model in client.models.list()]
    assert {VLLM, OLLAMA, ODD, SHARED, "vllm/shared", DEMO} <= set(ids), ids
    assert client.models.retrieve(VLLM).id == VLLM
    shown = page_models()
    assert shown[VLLM]["state"] == "ready" and shown[OLLAMA]["state"] == "ready", shown
    assert (shown[ODD]["task"], shown["odd/odd-embed"]["task"]) == ("chat", "embedding"), shown


@test()
def an_alias_is_a_model_like_any_other():
    assert ALIAS in [model.id for model in client.models.list()]
    assert client.models.retrieve(ALIAS).id == ALIAS
    assert said(ALIAS).model == ALIAS and control("vllm")["last"]["body"]["model"] == "Qwen/Qwen3-8B"
    tags = ask(urllib.request.Request(f"{URL}/api/tags"))[1]["models"]
    assert ALIAS in [model["name"] for model in tags], tags


@test()
def servers_of_one_model_take_turns():
    with behaving(vllm="well", ollama="well"):
        for _ in range(8):
            assert said(SHARED).model == SHARED
        asked = [control(name)["asked"] for name in ("vllm", "ollama")]
        assert sum(asked) == 8 and min(asked) >= 3, asked


@test()
def another_server_steps_in_before_the_first_byte():
    for mode in FAILURES:
        for call in (lambda: said(SHARED).choices[0].message.content, lambda: streamed(SHARED)[0]):
            with behaving(vllm=mode, ollama="well"):
                assert [call(), call()] == [THE_ANSWER] * 2, mode
                assert control("vllm")["asked"] >= 1, mode
                # One that is known to fail is asked no more while another is well.
                asked = control("vllm")["asked"]
                assert call() == THE_ANSWER and control("vllm")["asked"] == asked, mode


@test()
def a_server_without_another_fails_in_words():
    for mode in FAILURES:
        for call in (lambda: said(ODD), lambda: streamed(ODD)):
            with behaving(odd=mode):
                began = time.monotonic()
                error = raises(openai.InternalServerError, call)
                assert time.monotonic() - began < 12, mode
                assert error.status_code in (502, 503, 504), (mode, error.body)
                words = error.body["message"]
                address = PORTS["odd"].removesuffix("/v1")
                assert address in words and "<html" not in words and "sk-of" not in words, (mode, words)


@test()
def an_answer_in_two_halves_is_an_error():
    with behaving(odd="half"):
        error = raises(openai.InternalServerError, lambda: said(ODD))
        assert error.code == "broken_off" or "broke off" in error.body["message"], error.body
    for mode in ("half", "cut", "error inside"):
        with behaving(odd=mode):
            error = raises(openai.APIError, lambda: streamed(ODD))
            assert "42" not in str(error) and error.body["message"], error.body


@test()
def calls_and_thoughts_arrive():
    _, chunks = streamed(VLLM, tools=[WEATHER])
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    calls = [call for delta in deltas for call in delta.tool_calls or []]
    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas) == THOUGHT, chunks
    assert calls[0].id == "chatcmpl-tool-1" and calls[0].function.name == "get_weather", calls
    is_a_call("get_weather", "".join(call.function.arguments or "" for call in calls))
    assert chunks[-1].choices[0].finish_reason == "tool_calls", chunks[-1]


@test()
def a_stream_for_a_whole_and_a_whole_for_a_stream_are_answers():
    with behaving(odd="the other way"):
        answer = said(ODD)
        assert answer.choices[0].message.content == THE_ANSWER and answer.model == ODD, answer
        text, chunks = streamed(ODD)
        assert text == THE_ANSWER and chunks[-1].choices[0].finish_reason == "stop", chunks


@test()
def what_is_packed_or_lies_is_no_other_answer():
    with behaving(odd="lies"):
        assert said(ODD).model == ODD and {chunk.model for chunk in streamed(ODD)[1]} == {ODD}
    for call in (lambda: said(ODD).choices[0].message.content, lambda: streamed(ODD)[0]):
        with behaving(odd="gzip"):
            try:
                assert call() == THE_ANSWER
            except openai.InternalServerError as error:
                assert PORTS["odd"].removesuffix("/v1") in error.body["message"], error.body


@test()
def a_servers_own_refusal_is_passed_on():
    with behaving(odd="too long"):
        error = raises(openai.BadRequestError, lambda: said(ODD))
        assert "maximum context length is 4096" in error.body["message"], error.body
        assert page_models()[ODD]["state"] == "ready"
    raises(openai.NotFoundError, lambda: said("odd/no-such-model"))


@test()
def the_page_names_what_is_away_and_sees_it_return():
    with behaving(odd="dead"):
        raises(openai.InternalServerError, lambda: said(ODD))
        shown = page_models()[ODD]
        assert shown["state"] == "unavailable" and "odd" in shown["unavailable"]["meaning"], shown
        assert shown["unavailable"]["fact"] and "backends.odd" in shown["unavailable"]["remedy"], shown
    assert page_models()[ODD]["state"] == "ready"


@test()
def a_server_that_never_was_is_named():
    for model in ("gone/lost", "lost"):
        error = raises(openai.InternalServerError, lambda: said(model))
        assert error.code == "backend_unreachable" and "127.0.0.1:9" in error.body["message"], error.body
    shown = page_models()["gone/lost"]
    assert shown["state"] == "unavailable" and "gone" in shown["unavailable"]["meaning"], shown


@test()
def a_server_that_hangs_delays_no_list():
    with behaving(odd="hangs"):
        for lists in (lambda: list(client.models.list()), page_models):
            began = time.monotonic()
            assert lists()
            assert time.monotonic() - began < 5, time.monotonic() - began


@test()
def a_server_is_told_that_nobody_waits():
    with behaving(odd="endless"):
        stream = said(ODD, stream=True)
        next(iter(stream))
        stream.close()
        waits_until(lambda: control("odd")["is_left"] == 1, "the server writes on")
    none_runs()


@test()
def a_server_that_never_ends_is_cut():
    with behaving(odd="endless"):
        began = time.monotonic()
        raises(openai.APIError, lambda: streamed(ODD))
        assert 6 < time.monotonic() - began < 12, time.monotonic() - began


@test()
def the_models_of_this_computer_answer_meanwhile():
    with behaving(vllm="hangs", ollama="dead", odd="broken"):
        assert said(DEMO, max_tokens=4).choices[0].message.content
        raises(openai.InternalServerError, lambda: streamed(SHARED))


run()
