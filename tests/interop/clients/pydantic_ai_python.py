"""pydantic-ai: agents with tools and typed output."""

from harness import *
from pydantic_ai import Agent, ModelHTTPError, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings


def agent(name=AGENT, key=KEY, kind=OpenAIChatModel, **more):
    model = kind(name, provider=OpenAIProvider(base_url=BASE, api_key=key))
    return Agent(model, model_settings=ModelSettings(temperature=0, max_tokens=300), **{"retries": 0, **more})


@test()
async def answers():
    result = await agent(instructions="Be short.").run("Hi")
    assert result.output == SAID and result.usage.output_tokens > 0, result


@test()
async def streams():
    async with agent().run_stream("Hi") as result:
        pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
    assert "".join(pieces) == SAID and result.usage.output_tokens > 0, pieces


@test()
async def goes_on_with_a_history():
    first = await agent().run("Hi")
    second = await agent().run("And you?", message_history=first.all_messages())
    assert second.output == SAID, second


@test("tools")
async def calls_a_tool_and_goes_on():
    able, asked = agent(), []

    @able.tool_plain
    def get_weather(city: str) -> str:
        """Tells the weather of a city."""
        asked.append(city)
        return "sunny"

    result = await able.run("What is the weather in Paris?")
    assert (asked, result.output) == (["Paris"], TOLD), (asked, result.output)
    async with able.run_stream("What is the weather in Paris?") as stream:
        assert await stream.get_output() == TOLD


@test("tools")
async def gives_a_type_by_a_call():
    assert isinstance((await agent(output_type=ToolOutput(City)).run("A city")).output, City)
    async with agent(output_type=City).run_stream("A city") as stream:
        assert isinstance(await stream.get_output(), City)


@test("schema")
async def gives_a_type_by_a_schema():
    assert isinstance((await agent(output_type=NativeOutput(City)).run("A city")).output, City)


@test("thinking")
async def thoughts_are_apart():
    settings = {"extra_body": {"chat_template_kwargs": {"enable_thinking": True}}}
    result = await agent().run("Hi", model_settings=settings)
    assert result.output.strip() == CONCLUDED, result
    assert result.response.thinking.strip() == THOUGHT, result.response


@test("responses")
async def responds():
    result = await agent(kind=OpenAIResponsesModel).run("Hi")
    assert result.output == SAID, result
    async with agent(kind=OpenAIResponsesModel).run_stream("Hi") as stream:
        assert await stream.get_output() == SAID


@test("responses", "tools")
async def responds_with_a_type():
    assert isinstance((await agent(kind=OpenAIResponsesModel, output_type=City).run("A city")).output, City)


async def refused(**more):
    try:
        result = await agent(**more).run("Hi")
    except ModelHTTPError as error:
        return error
    raise AssertionError(f"no error: {result}")


@test()
async def an_unknown_model_is_not_found():
    error = await refused(name="no-such-model")
    assert error.status_code == 404 and error.body["code"] == "model_not_found", error


@test()
async def a_cancelled_run_stops():
    settings = {"max_tokens": 1500}
    asked = asyncio.create_task(agent(name=DEMO).run(LONG_QUESTION[0]["content"], model_settings=settings))
    await asyncio.to_thread(answers_run)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    await asyncio.to_thread(none_runs)


@test("keys")
async def a_wrong_key_is_refused():
    assert (await refused(key="sk-hearth-wrong")).status_code == 401


run()
