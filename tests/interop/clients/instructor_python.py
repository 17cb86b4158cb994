"""instructor: typed answers in all its modes that a small model can serve."""

import instructor
import openai
from harness import *
from instructor.v2.core.errors import InstructorRetryException

HI = {"model": AGENT, "messages": [{"role": "user", "content": "A city"}], "max_retries": 0, "temperature": 0}


def patched(mode):
    return instructor.from_openai(openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0), mode=mode)


@test("tools")
def gives_a_type_by_a_call():
    city, answer = patched(instructor.Mode.TOOLS).create_with_completion(response_model=City, **HI)
    assert isinstance(city, City) and answer.choices[0].message.tool_calls, answer


@test("schema")
def gives_a_type_by_json_l29():
    class Anything(BaseModel, extra="allow"):
        pass

    # The mode asks for any object and for the fields in words alone.
    assert isinstance(patched(instructor.Mode.JSON).create(response_model=Anything, **HI), Anything)


@test("schema")
def gives_a_type_by_a_schema():
    assert isinstance(patched(instructor.Mode.JSON_SCHEMA).create(response_model=City, **HI), City)


@test("tools")
def streams_a_type():
    class Place(BaseModel):
        name: str
        districts: list[str]

    *_, last = patched(instructor.Mode.TOOLS).create_partial(response_model=Place, **HI)
    Place.model_validate(last.model_dump())


@test("responses", "tools")
def gives_a_type_by_a_response():
    city = patched(instructor.Mode.RESPONSES_TOOLS).responses.create(
        model=AGENT, input="A city", response_model=City, max_retries=0
    )
    assert isinstance(city, City), city


@test()
def an_unknown_model_is_not_found():
    mode = patched(instructor.Mode.TOOLS)
    try:
        mode.create(response_model=City, **{**HI, "model": "no-such-model"})
    except (openai.NotFoundError, InstructorRetryException) as error:
        assert "model_not_found" in str(error), error
    else:
        raise AssertionError("an unknown model answered")


run()
