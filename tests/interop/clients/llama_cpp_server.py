"""A real server of llama.cpp behind the node: the demo model answered there and here."""

import signal

import openai
from harness import *

THERE = "llama/demo"
client = openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0, timeout=120)
TOKEN = open(os.environ["NODE_TOKEN_FILE"]).read().strip()


def said(model, **more):
    return client.chat.completions.create(model=model, **{"messages": QUESTION, "temperature": 0, "max_tokens": 16, **more})


def shown():
    request = urllib.request.Request(f"{URL}/api/v1/models", headers={"Authorization": f"Bearer {TOKEN}"})
    return {model["id"]: model for model in ask(request)[1]["models"]}[THERE]


@test()
def it_is_listed():
    assert THERE in [model.id for model in client.models.list()]
    assert shown()["state"] == "ready", shown()


@test()
def it_says_the_same_whole_and_streamed():
    answer = said(THERE)
    assert answer.model == THERE and answer.usage.completion_tokens > 0, answer
    chunks = list(said(THERE, stream=True))
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text.strip() and text == answer.choices[0].message.content, (text, answer)


@test()
def it_counts_the_prompt_as_this_engine_does():
    there, here = said(THERE).usage.prompt_tokens, said(DEMO).usage.prompt_tokens
    # Its chat format of ChatML adds or leaves out the system text of the model's own template.
    assert abs(there - here) < 40, (there, here)


@test()
def it_completes_text_and_gives_logprobs():
    answer = client.completions.create(model=THERE, prompt="The sky is", max_tokens=4, temperature=0, logprobs=2)
    here = client.completions.create(model=DEMO, prompt="The sky is", max_tokens=4, temperature=0)
    assert answer.choices[0].text.split()[:1] == here.choices[0].text.split()[:1], (answer, here)


@test()
def it_answers_of_a_schema():
    schema = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 8}}, "required": ["city"]}
    form = {"type": "json_object", "schema": schema}
    answer = said(THERE, max_tokens=60, extra_body={"response_format": form})
    assert "city" in json.loads(answer.choices[0].message.content), answer


@test()
def its_refusal_is_passed_on():
    messages = [{"role": "user", "content": "word " * 9000}]
    error = raises(openai.BadRequestError, lambda: said(THERE, messages=messages))
    assert "context" in str(error.body), error.body


@test()
def it_is_told_that_nobody_waits():
    stream = said(THERE, messages=LONG_QUESTION, max_tokens=1500, stream=True)
    next(iter(stream))
    stream.close()
    # It answers one at a time.
    began = time.monotonic()
    said(THERE, max_tokens=1)
    assert time.monotonic() - began < 15, time.monotonic() - began


@test()
def it_is_missed_when_it_is_killed():
    os.kill(int(os.environ["NODE_BACKEND_PID"]), signal.SIGKILL)
    error = raises(openai.InternalServerError, lambda: said(THERE))
    assert error.status_code in (502, 503) and "127.0.0.1" in error.body["message"], error.body
    assert shown()["state"] == "unavailable", shown()
    assert said(DEMO, max_tokens=2).choices[0].message.content


run()
