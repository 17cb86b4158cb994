"""LiteLLM, as a library."""

import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from harness import *

litellm.suppress_debug_info = True
litellm.telemetry = False
PLACE = {"api_base": BASE, "api_key": KEY, "num_retries": 0, "max_retries": 0}


def said(**more):
    return litellm.completion(**{"model": f"openai/{AGENT}", "messages": QUESTION, "temperature": 0, **PLACE, **more})


@test()
def completes():
    answer = said()
    assert answer.choices[0].message.content == SAID and answer.usage.completion_tokens > 0, answer


@test()
def streams_with_usage():
    chunks = list(said(stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == SAID, chunks
    assert any(getattr(chunk, "usage", None) for chunk in chunks), chunks


@test()
async def completes_async():
    answer = await litellm.acompletion(model=f"openai/{AGENT}", messages=QUESTION, temperature=0, **PLACE)
    assert answer.choices[0].message.content == SAID, answer


@test()
def other_providers_of_this_api_work():
    for provider in ("hosted_vllm", "lm_studio", "custom_openai"):
        assert said(model=f"{provider}/{AGENT}").choices[0].message.content == SAID, provider


@test()
def gives_n_and_logprobs():
    assert len(said(n=2).choices) == 2
    assert said(logprobs=True, top_logprobs=2).choices[0].logprobs.content[0].token == "Hello"


@test()
def completes_a_list_of_prompts_l22():
    answer = litellm.text_completion(
        model=f"text-completion-openai/{AGENT}", prompt=["The sky is", "Water is"], max_tokens=2, **PLACE
    )
    assert len(answer.choices) == 2, answer


@test()
def embeds():
    for form in ("float", "base64"):
        answer = litellm.embedding(
            model=f"openai/{EMBEDDER}", input=["a dog", "the sea"], encoding_format=form, api_base=BASE, api_key=KEY
        )
        assert len(answer.data) == 2, answer


@test("schema")
def gives_structured_output():
    City.model_validate_json(said(response_format=City).choices[0].message.content)


@test("tools")
def calls_tools():
    call = said(tools=[WEATHER, CLOCK], tool_choice="required").choices[0].message.tool_calls[0]
    is_a_call(call.function.name, call.function.arguments)
    choice = said(tools=[WEATHER]).choices[0]
    assert choice.finish_reason == "tool_calls" and choice.message.tool_calls[0].function.name == "get_weather", choice
    result = {"role": "tool", "tool_call_id": choice.message.tool_calls[0].id, "content": "sunny"}
    told = said(tools=[WEATHER], messages=[*QUESTION, choice.message.model_dump(), result])
    assert told.choices[0].message.content == TOLD, told


@test("tools")
def streams_tool_calls():
    chunks = list(said(tools=[WEATHER], tool_choice="required", stream=True))
    call = litellm.stream_chunk_builder(chunks).choices[0].message.tool_calls[0]
    is_a_call(call.function.name, call.function.arguments)


@test("thinking")
def thoughts_are_apart():
    message = said(extra_body={"chat_template_kwargs": {"enable_thinking": True}}).choices[0].message
    assert message.reasoning_content.strip() == THOUGHT and message.content.strip() == CONCLUDED, message


@test("responses")
def responds():
    answer = litellm.responses(model=f"openai/{AGENT}", input="Hi", api_base=BASE, api_key=KEY)
    text = next(item for item in answer.output if item.type == "message").content[0].text
    assert text == SAID, answer


@test("anthropic")
def speaks_as_anthropic():
    answer = litellm.completion(
        model=f"anthropic/{AGENT}", messages=QUESTION, api_base=URL, api_key=KEY, max_tokens=20, num_retries=0
    )
    assert answer.choices[0].message.content == SAID, answer


@test("ollama")
def speaks_as_ollama():
    answer = litellm.completion(model=f"ollama_chat/{AGENT}", messages=QUESTION, api_base=URL, api_key=KEY)
    assert answer.choices[0].message.content == SAID, answer


@test()
def errors_are_litellms():
    raises(litellm.NotFoundError, lambda: said(model="openai/no-such-model"))
    raises(litellm.BadRequestError, lambda: said(messages=[]))


@test()
async def a_cancelled_answer_stops():
    long = litellm.acompletion(model=f"openai/{DEMO}", messages=LONG_QUESTION, max_tokens=1500, **PLACE)
    asked = asyncio.create_task(long)
    await asyncio.to_thread(answers_run)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    await asyncio.to_thread(none_runs)


@test("keys")
def a_wrong_key_is_refused():
    raises(litellm.AuthenticationError, lambda: said(api_key="sk-hearth-wrong"))


@test()
def a_prompt_beyond_the_context_is_recognised_l21():
    raises(litellm.ContextWindowExceededError, lambda: said(messages=TOO_LONG))
    raises(litellm.ContextWindowExceededError, lambda: said(messages=TOO_LONG, stream=True))


run()
