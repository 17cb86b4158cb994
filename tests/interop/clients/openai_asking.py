"""OpenAI's Python client, and how the tests of it ask the agent."""

import openai
from harness import *

client = openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0, timeout=120)
chat = client.chat.completions


def said(**more):
    return chat.create(**{"model": AGENT, "messages": QUESTION, "temperature": 0, **more})


def text_of(stream):
    """Text, reasons, usage and all chunks of a stream."""
    chunks = list(stream)
    choices = [choice for chunk in chunks for choice in chunk.choices]
    text = "".join(choice.delta.content or "" for choice in choices)
    return text, [choice.finish_reason for choice in choices if choice.finish_reason], chunks
