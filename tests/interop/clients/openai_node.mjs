// The official Node client of OpenAI.

import OpenAI from 'openai'
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod'
import { z } from 'zod'
import * as h from './harness.mjs'

const { assert, equal, raises, test, AGENT, SAID } = h
const client = new OpenAI({ baseURL: h.base, apiKey: h.key, maxRetries: 0, timeout: 120_000 })
const messages = [{ role: 'user', content: 'Hi' }]
const hi = { model: AGENT, messages, temperature: 0 }
const tools = [{ type: 'function', function: h.WEATHER }]
const City = z.object({ name: z.string(), people: z.number().int(), districts: z.array(z.string()) })

test([], async function lists_models() {
  const ids = []
  for await (const model of client.models.list()) ids.push(model.id)
  assert(ids.includes(AGENT) && ids.includes(h.EMBEDDER), ids)
  equal((await client.models.retrieve(AGENT)).id, AGENT)
  const network = ids.find((id) => id.includes('/'))
  equal((await client.models.retrieve(network)).id, network)
})

test([], async function chats() {
  const { data, request_id } = await client.chat.completions.create(hi).withResponse()
  equal([data.choices[0].message.content, data.choices[0].finish_reason], [SAID, 'stop'])
  assert(request_id, 'no x-request-id')
})

test([], async function streams_with_usage_in_the_last_chunk() {
  const stream = await client.chat.completions.create({ ...hi, stream: true, stream_options: { include_usage: true } })
  const chunks = []
  for await (const chunk of stream) chunks.push(chunk)
  equal(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join(''), SAID)
  assert(chunks.at(-1).usage.completion_tokens > 0 && chunks.at(-1).choices.length === 0, chunks.at(-1))
})

test([], async function a_stream_helper_collects() {
  equal(await client.chat.completions.stream(hi).finalContent(), SAID)
})

test([], async function gives_n_and_logprobs() {
  const answer = await client.chat.completions.create({ ...hi, n: 2, logprobs: true, top_logprobs: 3 })
  equal(answer.choices.map((choice) => choice.message.content), [SAID, SAID])
  equal(answer.choices[0].logprobs.content[0].top_logprobs.length, 3)
})

test([], async function embeds() {
  const packed = await client.embeddings.create({ model: h.EMBEDDER, input: ['a dog', 'the sea'] })
  const plain = await client.embeddings.create({ model: h.EMBEDDER, input: 'a dog', encoding_format: 'float' })
  equal([packed.data.length, plain.data[0].embedding.length], [2, 32])
  assert(plain.data[0].embedding.every((x, i) => Math.abs(x - packed.data[0].embedding[i]) < 1e-5))
})

test(['schema'], async function parses_a_schema() {
  const answer = await client.chat.completions.parse({ ...hi, response_format: zodResponseFormat(City, 'city') })
  City.parse(answer.choices[0].message.parsed)
})

test(['tools'], async function calls_what_is_required() {
  const { choices } = await client.chat.completions.create({ ...hi, tools, tool_choice: 'required' })
  equal(choices[0].finish_reason, 'tool_calls')
  equal(Object.keys(JSON.parse(choices[0].message.tool_calls[0].function.arguments)), ['city'])
})

test(['tools'], async function runs_tools_n07() {
  const asked = []
  const able = {
    type: 'function',
    function: {
      ...h.WEATHER,
      parse: JSON.parse,
      function: ({ city }) => {
        asked.push(city)
        return 'sunny'
      },
    },
  }
  const whole = await client.chat.completions.runTools({ ...hi, tools: [able] }).finalContent()
  const streamed = await client.chat.completions.runTools({ ...hi, tools: [able], stream: true }).finalContent()
  equal([asked, whole, streamed], [['Paris', 'Paris'], h.TOLD, h.TOLD])
})

test(['thinking'], async function thoughts_are_apart() {
  const answer = await client.chat.completions.create({ ...hi, chat_template_kwargs: { enable_thinking: true } })
  equal(answer.choices[0].message.reasoning_content.trim(), h.THOUGHT)
})

test(['responses'], async function responds() {
  const answer = await client.responses.create({ model: AGENT, input: 'Hi' })
  equal([answer.output_text, answer.status], [SAID, 'completed'])
  const next = await client.responses.create({ model: AGENT, input: 'And you?', previous_response_id: answer.id })
  equal(next.output_text, SAID)
  const stream = client.responses.stream({ model: AGENT, input: 'Hi' })
  equal((await stream.finalResponse()).output_text, SAID)
})

test(['responses', 'schema'], async function responds_of_a_schema() {
  const answer = await client.responses.parse({ model: AGENT, input: 'Hi', text: { format: zodTextFormat(City, 'city') } })
  City.parse(answer.output_parsed)
})

test([], async function errors_are_openais() {
  const error = await raises(OpenAI.NotFoundError, () => client.chat.completions.create({ ...hi, model: 'no-such-model' }))
  equal(error.code, 'model_not_found')
  const wrong = await raises(OpenAI.BadRequestError, () => client.chat.completions.create({ ...hi, temperature: 'warm' }))
  equal([wrong.param, wrong.type], ['temperature', 'invalid_request_error'])
  const long = [{ role: 'user', content: h.TOO_LONG }]
  const over = await raises(OpenAI.BadRequestError, () => client.chat.completions.create({ ...hi, messages: long }))
  equal(over.code, 'context_length_exceeded')
})

test(['keys'], async function a_wrong_key_is_refused() {
  const other = client.withOptions({ apiKey: 'sk-hearth-wrong' })
  await raises(OpenAI.AuthenticationError, () => other.chat.completions.create(hi))
})

test(['keys'], async function a_browser_with_a_key_is_answered_n19_t24() {
  const [status, answer] = await h.post('/v1/chat/completions', hi, { origin: 'http://localhost:3000' })
  equal([status, answer.choices?.[0].message.content], [200, SAID])
})

test([], async function an_aborted_stream_stops_the_answer() {
  const long = { model: h.DEMO, messages: [{ role: 'user', content: h.LONG_QUESTION }], max_tokens: 1500 }
  const stream = await client.chat.completions.create({ ...long, stream: true })
  for await (const chunk of stream) {
    if (chunk.choices[0]?.delta.content) break
  }
  await h.noneRuns()
  const control = new AbortController()
  const asked = client.chat.completions.create(long, { signal: control.signal }).catch((error) => error)
  await h.answersRun()
  control.abort()
  assert((await asked) instanceof OpenAI.APIUserAbortError)
  await h.noneRuns()
})

test(['bare paths'], async function the_address_may_lack_v1() {
  for (const baseURL of [h.url, `${h.base}/`]) {
    const other = client.withOptions({ baseURL })
    equal((await other.chat.completions.create(hi)).choices[0].message.content, SAID)
  }
})

await h.run()
