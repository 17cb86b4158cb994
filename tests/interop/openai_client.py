"""Chats with a Hearth node through OpenAI's own client. Prints `counted: PASSED FAILED`."""

import sys
import time
import traceback

import openai

URL, DATA = sys.argv[1], sys.argv[2]
LOCAL, NETWORK = "smollm2-135m-instruct", "pocket/smollm2-135m-instruct"
QUESTION = [{"role": "user", "content": "Say hello to the world in one short sentence."}]
client = openai.OpenAI(base_url=f"{URL}/v1", api_key=open(f"{DATA}/api-token").read().strip(), max_retries=0, timeout=180)


def models_are_listed():
    ids = [model.id for model in client.models.list()]
    assert LOCAL in ids and NETWORK in ids, ids


def answers(model):
    answer = client.chat.completions.create(model=model, messages=QUESTION, max_tokens=24, temperature=0)
    choice = answer.choices[0]
    assert choice.message.role == "assistant" and choice.message.content.strip(), answer
    assert choice.finish_reason in ("stop", "length"), answer
    assert answer.model == model, answer.model
    assert 0 < answer.usage.completion_tokens <= 24, answer.usage
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    return choice.message.content


def streams(model):
    text, reasons, usage = "", [], None
    stream = client.chat.completions.create(
        model=model, messages=QUESTION, max_tokens=24, temperature=0, stream=True, stream_options={"include_usage": True}
    )
    n_pieces = 0
    for chunk in stream:
        for choice in chunk.choices:
            if choice.delta.content:
                n_pieces += 1
                text += choice.delta.content
            if choice.finish_reason:
                reasons.append(choice.finish_reason)
        usage = chunk.usage or usage
    assert text.strip() and n_pieces > 1, (text, n_pieces)
    assert len(reasons) == 1, reasons
    assert usage and usage.completion_tokens > 0, usage
    return text


def local_answer_and_stream_agree():
    assert answers(LOCAL) == streams(LOCAL)


def network_answer_and_stream_agree():
    assert answers(NETWORK) == streams(NETWORK)


def completion_continues_text():
    answer = client.completions.create(model=LOCAL, prompt="The capital of France is", max_tokens=4, temperature=0)
    assert answer.choices[0].text.strip(), answer


def errors_are_openais():
    try:
        client.chat.completions.create(model="no-such-model", messages=QUESTION)
    except openai.NotFoundError as error:
        assert error.code == "model_not_found", error.body
    else:
        raise AssertionError("an unknown model answered")
    try:
        client.chat.completions.create(model=LOCAL, messages=[])
    except openai.BadRequestError as error:
        assert error.type == "invalid_request_error", error.body
    else:
        raise AssertionError("no messages were answered")
    try:
        client.chat.completions.create(model="pocket/no-such-service", messages=QUESTION)
    except openai.NotFoundError:
        pass
    else:
        raise AssertionError("an unknown service answered")


def too_long_a_prompt_is_told():
    try:
        client.chat.completions.create(model=LOCAL, messages=[{"role": "user", "content": "word " * 20000}])
    except openai.BadRequestError as error:
        assert error.code == "context_length_exceeded", error.body
    else:
        raise AssertionError("a prompt beyond the context was answered")


def wait_for_the_network():
    """A supplier that was staked just now serves from the next session on."""
    for _ in range(120):
        try:
            client.chat.completions.create(model=NETWORK, messages=QUESTION, max_tokens=1)
            return
        except openai.InternalServerError:
            time.sleep(0.5)


wait_for_the_network()
passed = failed = 0
for test in [
    models_are_listed,
    local_answer_and_stream_agree,
    network_answer_and_stream_agree,
    completion_continues_text,
    errors_are_openais,
    too_long_a_prompt_is_told,
]:
    try:
        test()
        passed += 1
        print(f"ok     {test.__name__}")
    except Exception:
        failed += 1
        print(f"FAILED {test.__name__}")
        traceback.print_exc(file=sys.stdout)
print(f"counted: {passed} {failed}")
sys.exit(failed > 0)
