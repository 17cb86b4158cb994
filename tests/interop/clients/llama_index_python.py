"""llama-index, by its classes for OpenAI-like servers."""

import openai
from harness import *
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike


def model(**more):
    return OpenAILike(
        **{
            "model": AGENT,
            "api_base": BASE,
            "api_key": KEY,
            "is_chat_model": True,
            "is_function_calling_model": True,
            "context_window": 4096,
            "temperature": 0,
            "max_retries": 0,
            "max_tokens": 300,
            **more,
        }
    )


def get_weather(city: str) -> str:
    """Tells the weather of a city."""
    return f"sunny in {city}"


WEATHER_TOOL = FunctionTool.from_defaults(get_weather)
HI = [ChatMessage(role="user", content="Hi")]


@test()
def chats_and_streams():
    assert model().chat(HI).message.content == SAID
    assert "".join(piece.delta or "" for piece in model().stream_chat(HI)) == SAID
    assert model().complete("Hi").text == SAID


@test()
async def chats_async():
    assert (await model().achat(HI)).message.content == SAID
    assert "".join([piece.delta or "" async for piece in await model().astream_chat(HI)]) == SAID


@test()
def completes_text():
    text = model(model=DEMO, is_chat_model=False, max_tokens=4).complete("The sky is").text
    assert text.strip(), text
    assert "".join(p.delta for p in model(model=DEMO, is_chat_model=False, max_tokens=4).stream_complete("The sky is")) == text


@test()
def embeds():
    embedder = OpenAILikeEmbedding(model_name=EMBEDDER, api_base=BASE, api_key=KEY, max_retries=0)
    assert len(embedder.get_text_embedding("a dog")) == 32
    assert len(embedder.get_text_embedding_batch(["a dog", "the sea"])) == 2


@test("tools")
def calls_tools():
    answer = model().chat_with_tools([WEATHER_TOOL], user_msg="Hi", tool_required=True)
    call = model().get_tool_calls_from_response(answer)[0]
    is_a_call(call.tool_name, call.tool_kwargs)
    *_, last = model().stream_chat_with_tools([WEATHER_TOOL], user_msg="Hi")
    call = model().get_tool_calls_from_response(last)[0]
    assert call.tool_kwargs == {"city": "Paris"}, last


@test("tools")
def predicts_a_structure():
    assert isinstance(model().as_structured_llm(City).chat(HI).raw, City)


@test("schema")
def predicts_a_structure_by_a_schema():
    answer = model(should_use_structured_outputs=True).as_structured_llm(City).chat(HI)
    assert isinstance(answer.raw, City), answer


@test()
def errors_are_openais():
    raises(openai.NotFoundError, lambda: model(model="no-such-model").chat(HI))
    raises(openai.BadRequestError, lambda: model().chat([ChatMessage(role="user", content="z" * 6000)]))


@test()
async def a_cancelled_answer_stops():
    long = [ChatMessage(role="user", content=LONG_QUESTION[0]["content"])]
    asked = asyncio.create_task(model(model=DEMO, max_tokens=1500).achat(long))
    await asyncio.to_thread(answers_run)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    await asyncio.to_thread(none_runs)


@test("keys")
def a_wrong_key_is_refused():
    raises(openai.AuthenticationError, lambda: model(api_key="sk-hearth-wrong").chat(HI))


run()
