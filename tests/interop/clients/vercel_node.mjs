// Vercel's ai with its providers for OpenAI and for compatible servers.

import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { APICallError, embed, embedMany, generateObject, generateText, Output, stepCountIs, streamObject, streamText, tool } from 'ai'
import { z } from 'zod'
import * as h from './harness.mjs'

const { assert, equal, raises, test, AGENT, SAID } = h
const place = { baseURL: h.base, apiKey: h.key }
const openai = createOpenAI(place)
const compatible = createOpenAICompatible({ name: 'hearth', includeUsage: true, supportsStructuredOutputs: true, ...place })
const hi = { prompt: 'Hi', temperature: 0, maxRetries: 0 }
const City = z.object({ name: z.string(), people: z.number().int(), districts: z.array(z.string()) })
const weather = tool({
  description: 'Tells the weather of a city.',
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `sunny in ${city}`,
})
const wrong = (status) => (error) => APICallError.isInstance(error) && error.statusCode === status

test([], async function generates_text() {
  for (const model of [compatible(AGENT), openai.chat(AGENT)]) {
    const answer = await generateText({ model, ...hi })
    equal([answer.text, answer.finishReason], [SAID, 'stop'])
    assert(answer.usage.outputTokens > 0, answer.usage)
  }
})

test([], async function streams_text_with_usage() {
  for (const model of [compatible(AGENT), openai.chat(AGENT)]) {
    const answer = streamText({ model, ...hi })
    let text = ''
    for await (const piece of answer.textStream) text += piece
    equal(text, SAID)
    assert((await answer.usage).outputTokens > 0, await answer.usage)
  }
})

test([], async function completes_text() {
  const answer = await generateText({ model: compatible.completionModel(AGENT), ...hi, maxOutputTokens: 3 })
  assert(answer.text.length > 0, answer.text)
})

test([], async function embeds() {
  equal((await embed({ model: compatible.embeddingModel(h.EMBEDDER), value: 'a dog' })).embedding.length, 32)
  const many = await embedMany({ model: openai.embedding(h.EMBEDDER), values: ['a dog', 'the sea'] })
  equal(many.embeddings.length, 2)
})

test(['schema'], async function generates_objects_n12() {
  for (const model of [compatible(AGENT), openai.chat(AGENT)]) {
    City.parse((await generateObject({ model, schema: City, ...hi })).object)
    const stream = streamObject({ model, schema: City, ...hi })
    for await (const _ of stream.partialObjectStream);
    City.parse(await stream.object)
  }
  const free = await generateObject({ model: compatible(AGENT), output: 'no-schema', ...hi })
  assert(typeof free.object === 'object', free.object)
  const output = await generateText({ model: compatible(AGENT), output: Output.object({ schema: City }), ...hi })
  City.parse(output.output)
})

test(['tools'], async function calls_tools_n13() {
  for (const model of [compatible(AGENT), openai.chat(AGENT)]) {
    const answer = await generateText({ model, tools: { get_weather: weather }, toolChoice: 'required', ...hi })
    equal(Object.keys(answer.toolCalls[0].input), ['city'])
    const steps = await generateText({ model, tools: { get_weather: weather }, stopWhen: stepCountIs(3), ...hi })
    equal([steps.steps.length, steps.text], [2, h.TOLD])
    const stream = streamText({ model, tools: { get_weather: weather }, stopWhen: stepCountIs(3), ...hi })
    let text = ''
    for await (const piece of stream.textStream) text += piece
    equal(text, h.TOLD)
  }
})

test(['thinking'], async function thoughts_are_apart() {
  const providerOptions = { hearth: { chat_template_kwargs: { enable_thinking: true } } }
  const answer = await generateText({ model: compatible(AGENT), providerOptions, ...hi })
  equal([answer.reasoningText.trim(), answer.text.trim()], [h.THOUGHT, h.CONCLUDED])
})

test(['responses'], async function responds_by_default_n16() {
  equal((await generateText({ model: openai(AGENT), ...hi })).text, SAID)
  let text = ''
  for await (const piece of streamText({ model: openai(AGENT), ...hi }).textStream) text += piece
  equal(text, SAID)
})

test(['responses', 'tools', 'schema'], async function responds_with_calls_and_objects() {
  const model = openai(AGENT)
  City.parse((await generateObject({ model, schema: City, ...hi })).object)
  const steps = await generateText({ model, tools: { get_weather: weather }, stopWhen: stepCountIs(3), ...hi })
  equal([steps.steps.length, steps.text], [2, h.TOLD])
})

test([], async function errors_are_told() {
  const unknown = await raises(wrong(404), () => generateText({ model: compatible('no-such-model'), ...hi }))
  assert(!unknown.isRetryable && unknown.message.includes('no-such-model'), unknown.message)
  const over = await raises(wrong(400), () => generateText({ model: compatible(AGENT), ...hi, prompt: h.TOO_LONG }))
  assert(over.message.includes('maximum context length'), over.message)
})

test(['keys'], async function a_wrong_key_is_refused() {
  const other = createOpenAICompatible({ name: 'hearth', baseURL: h.base, apiKey: 'sk-hearth-wrong' })
  await raises(wrong(401), () => generateText({ model: other(AGENT), ...hi }))
})

test([], async function an_aborted_stream_stops_the_answer() {
  const control = new AbortController()
  const ask = { model: compatible(h.DEMO), prompt: h.LONG_QUESTION, maxOutputTokens: 1500, abortSignal: control.signal }
  const reading = streamText({ ...ask, maxRetries: 0 }).textStream.getReader()
  await reading.read()
  await h.answersRun()
  control.abort()
  await h.noneRuns()
})

test(['bare paths'], async function the_address_may_lack_v1() {
  const other = createOpenAICompatible({ name: 'hearth', baseURL: h.url, apiKey: h.key })
  equal((await generateText({ model: other(AGENT), ...hi })).text, SAID)
})

await h.run()
