"""The official Python client of OpenAI: models, chat, completions, embeddings, errors, ends."""

import gzip
import math

import httpx
import openai
from openai_asking import *


@test()
def lists_and_tells_models():
    ids = [model.id for model in client.models.list()]
    assert {DEMO, AGENT, EMBEDDER} <= set(ids), ids
    assert client.models.retrieve(AGENT).id == AGENT
    raises(openai.NotFoundError, lambda: client.models.retrieve("no/such-model"))


@test()
def tells_a_model_with_a_slash():
    network = [model.id for model in client.models.list() if "/" in model.id]
    assert network and client.models.retrieve(network[0]).id == network[0], network


@test()
def chats():
    answer = said()
    assert answer.choices[0].message.content == SAID and answer.choices[0].finish_reason == "stop", answer
    assert answer.choices[0].message.role == "assistant" and answer.model == AGENT, answer
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens, answer.usage
    assert answer._request_id, "no x-request-id"


@test()
def streams_with_usage_in_the_last_chunk():
    text, reasons, chunks = text_of(said(stream=True, stream_options={"include_usage": True}))
    assert text == SAID and reasons == ["stop"], (text, reasons)
    assert chunks[0].choices[0].delta.role == "assistant", chunks[0]
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 0, chunks[-1]
    assert all(chunk.usage is None for chunk in chunks[:-1]), chunks
    assert {chunk.id for chunk in chunks} == {chunks[0].id}, chunks


@test()
def a_stream_without_usage_has_none():
    _, _, chunks = text_of(said(stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in chunks), chunks


@test()
async def chats_and_streams_async():
    async with openai.AsyncOpenAI(base_url=BASE, api_key=KEY, max_retries=0) as other:
        answers = await asyncio.gather(
            *(other.chat.completions.create(model=AGENT, messages=QUESTION, temperature=0) for _ in range(4))
        )
        assert [answer.choices[0].message.content for answer in answers] == [SAID] * 4, answers
        pieces = await other.chat.completions.create(model=AGENT, messages=QUESTION, temperature=0, stream=True)
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in pieces]) == SAID


@test()
def the_demo_model_says_the_same_whole_and_streamed():
    whole = said(model=DEMO, max_tokens=16).choices[0].message.content
    assert whole.strip() and whole == text_of(said(model=DEMO, max_tokens=16, stream=True))[0], whole


@test()
def a_stream_helper_collects():
    with chat.stream(model=AGENT, messages=QUESTION, temperature=0) as stream:
        for _ in stream:
            pass
        assert stream.get_final_completion().choices[0].message.content == SAID


@test()
def all_roles_and_parts_are_read_o28():
    refusal = {"role": "assistant", "content": [{"type": "refusal", "refusal": "I cannot"}]}
    parts = {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": " you"}]}
    for messages in (
        [{"role": "developer", "content": "Be short."}, *QUESTION],
        [{"role": "system", "content": "Be short."}, *QUESTION],
        [*QUESTION, refusal, {"role": "user", "content": "ok"}],
        [parts],
        [{"role": "user", "name": "ann", "content": "Hi"}],
    ):
        assert said(messages=messages).choices[0].message.content == SAID, messages


@test()
def what_a_role_and_a_content_must_be_is_named_o53_o56():
    for messages, param in (
        ([{"role": "banana", "content": "x"}], "role"),
        ([{"role": "user", "content": 5}], "content"),
        ([], "messages"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}], "content"),
    ):
        error = raises(openai.BadRequestError, lambda messages=messages: said(messages=messages))
        assert error.param and param in error.param, (messages, error.body)


@test()
def a_wrong_field_is_named_o14_o15_o11_m01():
    for field, value in (
        ("temperature", "warm"),
        ("temperature", -1),
        ("max_tokens", "many"),
        ("top_p", 7),
        ("n", 0),
        ("logit_bias", [1]),
        ("response_format", "json_object"),
        ("response_format", {"type": "yaml"}),
        ("stop", 5),
        ("stream", "perhaps"),
        ("seed", "x"),
        ("tools", 5),
    ):
        try:
            raise AssertionError((field, value, said(extra_body={field: value})))
        except openai.BadRequestError as refused:
            error = refused
        assert error.type == "invalid_request_error" and (error.param or "").startswith(field), (field, error.body)
        words = error.body["message"]
        assert not any(rust in words for rust in ("f32", "i64", "u32", "enum", "untagged", "sequence")), words


@test()
def odd_numbers_of_other_clients_are_taken_o07_o12_o47_m15():
    for field, value in (
        ("max_tokens", -1),
        ("max_tokens", 2**53 - 1),
        ("max_completion_tokens", 50),
        ("top_k", -1),
        ("top_p", 0),
        ("min_p", 0.05),
        ("seed", -1),
        ("stop", [f"</{i}>" for i in range(20)]),
        ("stop", None),
        ("user", "ann"),
        ("metadata", {"a": "b"}),
    ):
        status, answer = post("/v1/chat/completions", {"model": AGENT, "messages": QUESTION, field: value})
        assert status == 200 and answer["choices"][0]["message"]["content"] == SAID, (field, value, answer)


@test()
def a_missing_or_empty_model_is_told_or_taken_o37():
    status, answer = post("/v1/chat/completions", {"messages": QUESTION, "max_tokens": 4})
    assert status == 200 or (status == 400 and answer["error"]["param"] == "model"), (status, answer)


@test()
def stops_at_a_text():
    choice = said(stop=["world"]).choices[0]
    assert choice.message.content == "Hello " and choice.finish_reason == "stop", choice
    assert text_of(said(stop="world", stream=True))[0] == "Hello "


@test()
def a_character_is_never_cut_s05():
    smile = [{"role": "user", "content": "Smile"}]
    text, _, chunks = text_of(said(messages=smile, stream=True, logprobs=True, top_logprobs=1))
    pieces = [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content]
    assert text == "\U0001f600" and not any("\ufffd" in piece for piece in pieces), pieces
    tokens = [token for chunk in chunks for choice in chunk.choices if choice.logprobs for token in choice.logprobs.content]
    assert bytes(byte for token in tokens for byte in token.bytes or []).decode().startswith(text), tokens
    # One that is cut by the length is not shown in part.
    cut = said(messages=smile, max_tokens=2).choices[0]
    assert cut.finish_reason == "length" and cut.message.content in ("", None, "\ufffd"), cut


@test()
def ends_by_length():
    choice = said(max_tokens=1).choices[0]
    assert choice.message.content == "Hello" and choice.finish_reason == "length", choice


@test()
def gives_n_choices_o26():
    answer = said(n=2)
    assert [choice.index for choice in answer.choices] == [0, 1], answer
    assert [choice.message.content for choice in answer.choices] == [SAID] * 2, answer
    _, reasons, chunks = text_of(said(n=2, stream=True))
    assert reasons == ["stop"] * 2 and {choice.index for chunk in chunks for choice in chunk.choices} == {0, 1}, chunks


@test()
def gives_logprobs():
    choice = said(logprobs=True, top_logprobs=20).choices[0]
    tokens = choice.logprobs.content
    assert "".join(token.token for token in tokens).startswith(SAID), tokens
    assert all(len(token.top_logprobs) == 20 and math.isfinite(token.logprob) for token in tokens), tokens
    assert bytes(tokens[0].bytes).decode() == tokens[0].token
    _, _, chunks = text_of(said(logprobs=True, top_logprobs=2, stream=True))
    assert any(choice.logprobs for chunk in chunks for choice in chunk.choices), chunks


@test()
def logit_bias_and_seed_are_obeyed():
    # The letter x, byte 120, is token 3 + 120.
    assert said(logit_bias={"123": 100}, max_tokens=3).choices[0].message.content == "xxx"
    hot = dict(model=DEMO, temperature=1.5, seed=7, max_tokens=12)
    assert said(**hot).choices[0].message.content == said(**hot).choices[0].message.content


@test()
def completes_lists_and_tokens_c01_c08():
    answer = client.completions.create(model=AGENT, prompt=["The sky is", "Water is"], max_tokens=2, temperature=0)
    assert [choice.index for choice in answer.choices] == [0, 1], answer
    answer = client.completions.create(model=AGENT, prompt=["a", "b"], n=2, max_tokens=2, temperature=0)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3], answer
    by_text = client.completions.create(model=AGENT, prompt="ab", max_tokens=3, temperature=0)
    by_token = client.completions.create(model=AGENT, prompt=[3 + ord("a"), 3 + ord("b")], max_tokens=3, temperature=0)
    assert by_text.choices[0].text == by_token.choices[0].text, (by_text, by_token)
    refused = lambda: client.completions.create(model=AGENT, prompt="a", best_of=3, max_tokens=1)
    assert raises(openai.BadRequestError, refused).param == "best_of"


@test()
def scores_a_prompt_c04_c05():
    answer = client.completions.create(model=DEMO, prompt="The sky is blue", echo=True, logprobs=1, max_tokens=0)
    choice = answer.choices[0]
    assert choice.text == "The sky is blue", choice
    logprobs = choice.logprobs
    assert "".join(logprobs.tokens) == "The sky is blue" and logprobs.token_logprobs[0] is None, logprobs
    assert all(value < 0 for value in logprobs.token_logprobs[1:]), logprobs


@test()
def streams_completions():
    stream = client.completions.create(model=DEMO, prompt="The sky is", max_tokens=4, stream=True, temperature=0)
    text = "".join(chunk.choices[0].text for chunk in stream if chunk.choices)
    whole = client.completions.create(model=DEMO, prompt="The sky is", max_tokens=4, temperature=0)
    assert text == whole.choices[0].text, (text, whole)


@test()
def embeds_floats_base64_and_lists():
    # The client asks for base64 where it is told nothing.
    packed = client.embeddings.create(model=EMBEDDER, input=["a dog", "the sea"])
    plain = client.embeddings.create(model=EMBEDDER, input=["a dog", "the sea"], encoding_format="float")
    assert len(packed.data) == 2 and [entry.index for entry in packed.data] == [0, 1]
    for one, other in zip(packed.data, plain.data):
        assert len(one.embedding) == 32, len(one.embedding)
        assert all(abs(a - b) < 1e-5 for a, b in zip(one.embedding, other.embedding))
        assert abs(sum(a * a for a in one.embedding) - 1) < 1e-3
    assert plain.usage.prompt_tokens > 0, plain.usage


@test()
def embeds_tokens_e03_e04():
    # With those that the model puts around a text; b and c are tokens 6 and 8.
    text = client.embeddings.create(model=EMBEDDER, input="b").data[0].embedding
    for tokens in ([2, 6, 3], [[2, 6, 3], [2, 8, 3]]):
        answer = client.embeddings.create(model=EMBEDDER, input=tokens)
        assert len(answer.data) == (1 if tokens == [2, 6, 3] else 2), answer
        assert all(abs(a - b) < 1e-5 for a, b in zip(answer.data[0].embedding, text)), answer
    # Those of another vocabulary are none of the text that was meant.
    error = raises(openai.BadRequestError, lambda: client.embeddings.create(model=EMBEDDER, input=[[15339, 1917]]))
    assert "input" in (error.param or "") and "check_embedding_ctx_length" in error.body["message"], error.body


@test()
def what_cannot_be_embedded_is_told_e12_e16():
    for value in (5, [], {"text": "a"}, "word " * 2000):
        error = raises(openai.BadRequestError, lambda: client.embeddings.create(model=EMBEDDER, input=value))
        assert (error.param or "").startswith("input"), (value, error.body)
        assert "messages" not in error.body["message"] and "conversation" not in error.body["message"], error.body
    raises(openai.BadRequestError, lambda: client.embeddings.create(model=AGENT, input="a"))
    error = raises(openai.BadRequestError, lambda: client.embeddings.create(model=EMBEDDER, input="a", dimensions=4096))
    assert error.param == "dimensions", error.body


@test()
def an_unknown_model_is_not_found():
    for model in ("no-such-model", "no/such", "pocket/no-such-service"):
        error = raises(openai.NotFoundError, lambda: said(model=model))
        assert error.code == "model_not_found" and error.param in ("model", None) and "no" in error.body["message"], error.body


@test()
def a_prompt_beyond_the_context_is_told_l21_c14():
    error = raises(openai.BadRequestError, lambda: said(messages=TOO_LONG))
    assert error.code == "context_length_exceeded" and error.param == "messages", error.body
    assert "maximum context length is 4096 tokens" in error.body["message"], error.body
    error = raises(openai.BadRequestError, lambda: client.completions.create(model=AGENT, prompt="z" * 6000))
    assert error.code == "context_length_exceeded" and error.param == "prompt", error.body
    raises(openai.BadRequestError, lambda: said(messages=TOO_LONG, stream=True))


@test("keys")
def a_wrong_key_is_refused():
    other = client.with_options(api_key="sk-hearth-wrong")
    error = raises(openai.AuthenticationError, lambda: other.chat.completions.create(model=AGENT, messages=QUESTION))
    assert error.code == "invalid_api_key", error.body
    raises(openai.AuthenticationError, lambda: list(other.models.list()))


@test()
def what_there_is_not_is_a_404_in_words():
    for call in (
        lambda: client.images.generate(model=AGENT, prompt="a dog"),
        lambda: client.audio.speech.create(model=AGENT, input="a", voice="alloy"),
        lambda: client.files.list(),
        lambda: client.moderations.create(input="a"),
    ):
        error = raises(openai.NotFoundError, call)
        assert error.body["message"], error.body


@test()
def a_closed_stream_stops_the_answer():
    stream = said(model=DEMO, messages=LONG_QUESTION, max_tokens=1500, stream=True)
    next(iter(stream))
    answers_run()
    stream.close()
    none_runs()


@test()
def an_answer_nobody_waits_for_stops():
    hasty = client.with_options(timeout=httpx.Timeout(10, read=1.5))
    ask = lambda: hasty.chat.completions.create(model=DEMO, messages=LONG_QUESTION, max_tokens=1500)
    raises(openai.APITimeoutError, ask)
    none_runs()


@test("bare paths")
def the_address_may_be_written_otherwise_l09_l10_t01_t02():
    for base in (URL, f"{URL}/", f"{BASE}/", f"{URL}//v1"):
        other = openai.OpenAI(base_url=base, api_key=KEY, max_retries=0)
        assert AGENT in [model.id for model in other.models.list()], base
        answer = other.chat.completions.create(model=AGENT, messages=QUESTION, temperature=0)
        assert answer.choices[0].message.content == SAID, base
        assert len(other.embeddings.create(model=EMBEDDER, input="a").data) == 1, base
    status, _ = post("/v1/chat/completions/", {"model": AGENT, "messages": QUESTION})
    assert status == 200, status


@test()
def odd_bodies_are_read_o34_t12_t13_t51():
    text = json.dumps({"model": AGENT, "messages": QUESTION, "temperature": 0}).encode()
    twice = text.replace(b'{"model"', b'{"model": "no-such-model", "model"', 1)
    lone = text.replace(b"Paris", b"\\ud83d")
    for body, headers in (
        (b"\xef\xbb\xbf" + text, {}),
        (gzip.compress(text), {"Content-Encoding": "gzip"}),
        (twice, {}),
        (lone, {}),
        (text, {"Content-Type": "text/plain"}),
    ):
        status, answer = post("/v1/chat/completions", body, headers)
        assert status == 200 and answer["choices"][0]["message"]["content"] == SAID, (body, headers, status, answer)


run()
