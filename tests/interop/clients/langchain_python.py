"""LangChain for Python."""

import openai
import tiktoken
from harness import *
from langchain_core.exceptions import ContextOverflowError, ModelAuthenticationError, ModelNotFoundError
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings

# LangChain sends texts to embed as tokens of OpenAI's vocabulary, which it would fetch. This one has bytes alone.
tiktoken.registry.ENCODINGS["cl100k_base"] = tiktoken.Encoding(
    "cl100k_base", pat_str=r"[\s\S]", mergeable_ranks={bytes([byte]): byte for byte in range(256)}, special_tokens={}
)


def model(**more):
    return ChatOpenAI(**{"model": AGENT, "base_url": BASE, "api_key": KEY, "temperature": 0, "max_retries": 0, **more})


def embedder(**more):
    return OpenAIEmbeddings(model=EMBEDDER, base_url=BASE, api_key=KEY, max_retries=0, **more)


def get_weather(city: str) -> str:
    """Tells the weather of a city."""
    return f"sunny in {city}"


def get_time(zone: str) -> str:
    """Tells the time of a zone."""
    return zone


@test()
def invokes():
    answer = model().invoke([SystemMessage("Be short."), HumanMessage("Hi")])
    assert answer.content == SAID and answer.response_metadata["finish_reason"] == "stop", answer
    assert answer.usage_metadata["output_tokens"] > 0, answer


@test()
def streams_with_usage():
    pieces = list(model(stream_usage=True).stream("Hi"))
    whole = pieces[0]
    for piece in pieces[1:]:
        whole = whole + piece
    assert len(pieces) > 2 and whole.content == SAID and whole.usage_metadata["output_tokens"] > 0, pieces


@test()
async def batches_and_streams_async():
    answers = await model().abatch(["Hi", "Hello"])
    assert [answer.content for answer in answers] == [SAID] * 2, answers
    assert "".join([piece.content async for piece in model().astream("Hi")]) == SAID


@test()
def generates_n():
    generations = model(n=2).generate([[HumanMessage("Hi")]]).generations[0]
    assert [generation.text for generation in generations] == [SAID] * 2, generations


@test()
def gives_logprobs():
    answer = model().bind(logprobs=True, top_logprobs=2).invoke("Hi")
    assert answer.response_metadata["logprobs"]["content"][0]["token"] == "Hello", answer


@test()
def completes_a_batch_of_prompts_l17():
    completing = OpenAI(model=AGENT, base_url=BASE, api_key=KEY, max_tokens=2, temperature=0, max_retries=0)
    assert len(completing.generate(["The sky is", "Water is"]).generations) == 2


@test()
def tokens_of_another_vocabulary_are_refused_by_the_settings_name_e03():
    error = raises(openai.BadRequestError, lambda: embedder().embed_documents(["dog", "sea"]))
    assert "check_embedding_ctx_length=False" in str(error), error


@test()
def embeds_texts():
    plain = embedder(check_embedding_ctx_length=False)
    assert len(plain.embed_query("a dog")) == 32
    assert len(plain.embed_documents(["a dog", "the sea"])) == 2


@test("schema")
def gives_structured_output_l14():
    for method in ("json_schema", "json_mode"):
        try:
            city = model().with_structured_output(City, method=method).invoke("A city")
        except Exception as error:
            # Any object will do in this mode: the model is asked for the fields in words alone.
            if method == "json_mode" and "validation error" in str(error):
                continue
            raise
        assert isinstance(city, City), city


@test("tools")
def gives_structured_output_by_a_call():
    city = model().with_structured_output(City, method="function_calling").invoke("A city")
    assert isinstance(city, City), city


@test("tools")
def calls_tools_l13():
    answer = model().bind_tools([get_weather, get_time], tool_choice="any").invoke("Hi")
    assert answer.tool_calls and not answer.invalid_tool_calls, answer
    answer = model().bind_tools([get_weather, get_time], tool_choice="get_time").invoke("Hi")
    assert [call["name"] for call in answer.tool_calls] == ["get_time"], answer


@test("tools")
def goes_on_after_a_tool():
    able = model().bind_tools([get_weather])
    messages = [HumanMessage("What is the weather in Paris?")]
    answer = able.invoke(messages)
    call = answer.tool_calls[0]
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Paris"}), answer
    told = able.invoke([*messages, answer, ToolMessage(get_weather(**call["args"]), tool_call_id=call["id"])])
    assert told.content == TOLD, told


@test("tools")
def streams_tool_calls():
    whole = None
    for piece in model().bind_tools([get_weather], tool_choice="any").stream("Hi"):
        whole = piece if whole is None else whole + piece
    assert [call["name"] for call in whole.tool_calls] == ["get_weather"], whole
    is_a_call("get_weather", whole.tool_calls[0]["args"])


@test("responses")
def responds():
    answer = model(use_responses_api=True).invoke("Hi")
    assert answer.text == SAID, answer
    pieces = list(model(use_responses_api=True).stream("Hi"))
    assert "".join(piece.text for piece in pieces) == SAID, pieces


@test("responses", "tools")
def responds_with_calls():
    able = model(use_responses_api=True).bind_tools([get_weather], tool_choice="any")
    call = able.invoke("Hi").tool_calls[0]
    is_a_call(call["name"], call["args"])


@test()
def errors_are_langchains():
    raises(ModelNotFoundError, lambda: model(model="no-such-model").invoke("Hi"))


@test("keys")
def a_wrong_key_is_refused():
    raises(ModelAuthenticationError, lambda: model(api_key="sk-hearth-wrong").invoke("Hi"))


@test()
def a_prompt_beyond_the_context_is_recognised_l21():
    raises(ContextOverflowError, lambda: model().invoke("z" * 6000))


@test("responses")
def a_response_beyond_the_context_is_recognised_l21():
    raises(ContextOverflowError, lambda: model(use_responses_api=True).invoke("z" * 6000))


@test()
def a_stream_that_is_left_stops():
    pieces = model(model=DEMO, max_tokens=1500).stream(LONG_QUESTION[0]["content"])
    next(pieces), next(pieces)
    answers_run()
    pieces.close()
    none_runs()


@test("bare paths")
def the_address_may_lack_v1():
    assert model(base_url=URL).invoke("Hi").content == SAID


run()
