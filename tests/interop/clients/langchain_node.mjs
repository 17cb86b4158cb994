// LangChain for JavaScript.

import { HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages'
import { tool } from '@langchain/core/tools'
import { ChatOpenAI, OpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { z } from 'zod'
import * as h from './harness.mjs'

const { assert, equal, raises, test, AGENT, SAID } = h
const place = { apiKey: h.key, maxRetries: 0, configuration: { baseURL: h.base } }
const model = (more = {}) => new ChatOpenAI({ model: AGENT, temperature: 0, ...place, ...more })
const City = z.object({ name: z.string(), people: z.number().int(), districts: z.array(z.string()) })
const weather = tool(({ city }) => `sunny in ${city}`, {
  name: 'get_weather',
  description: 'Tells the weather of a city.',
  schema: z.object({ city: z.string() }),
})

test([], async function invokes() {
  const answer = await model().invoke([new SystemMessage('Be short.'), new HumanMessage('Hi')])
  equal(answer.content, SAID)
  assert(answer.usage_metadata.output_tokens > 0, answer.usage_metadata)
})

test([], async function streams_with_usage() {
  let whole
  for await (const piece of await model().stream('Hi')) whole = whole ? whole.concat(piece) : piece
  equal(whole.content, SAID)
  assert(whole.usage_metadata?.output_tokens > 0, whole.usage_metadata)
})

test([], async function completes_a_batch_of_prompts() {
  const completing = new OpenAI({ model: AGENT, maxTokens: 2, temperature: 0, ...place })
  equal((await completing.generate(['The sky is', 'Water is'])).generations.length, 2)
})

test([], async function embeds() {
  const embedder = new OpenAIEmbeddings({ model: h.EMBEDDER, ...place })
  equal((await embedder.embedQuery('a dog')).length, 32)
  equal((await embedder.embedDocuments(['a dog', 'the sea'])).length, 2)
})

test(['schema'], async function gives_structured_output() {
  City.parse(await model().withStructuredOutput(City, { method: 'jsonSchema' }).invoke('A city'))
})

test(['tools'], async function gives_structured_output_by_a_call() {
  City.parse(await model().withStructuredOutput(City, { method: 'functionCalling' }).invoke('A city'))
})

test(['tools'], async function calls_tools_and_goes_on() {
  const able = model().bindTools([weather])
  const messages = [new HumanMessage('What is the weather in Paris?')]
  const answer = await able.invoke(messages)
  const call = answer.tool_calls[0]
  equal([call.name, call.args], ['get_weather', { city: 'Paris' }])
  const result = new ToolMessage({ content: await weather.invoke(call.args), tool_call_id: call.id })
  equal((await able.invoke([...messages, answer, result])).content, h.TOLD)
  let whole
  for await (const piece of await model().bindTools([weather], { tool_choice: 'any' }).stream('Hi')) {
    whole = whole ? whole.concat(piece) : piece
  }
  equal(Object.keys(whole.tool_calls[0].args), ['city'])
})

test(['responses'], async function responds() {
  equal((await model({ useResponsesApi: true }).invoke('Hi')).text, SAID)
  let text = ''
  for await (const piece of await model({ useResponsesApi: true }).stream('Hi')) text += piece.text
  equal(text, SAID)
})

test([], async function errors_are_langchains() {
  const unknown = await raises((error) => error.status === 404, () => model({ model: 'no-such-model' }).invoke('Hi'))
  assert(unknown.lc_error_code === 'MODEL_NOT_FOUND', unknown.lc_error_code)
  await raises((error) => error.name === 'ContextOverflowError', () => model().invoke(h.TOO_LONG))
})

test(['keys'], async function a_wrong_key_is_refused() {
  await raises((error) => error.status === 401, () => model({ apiKey: 'sk-hearth-wrong' }).invoke('Hi'))
})

test([], async function an_aborted_answer_stops() {
  const control = new AbortController()
  const stream = await model({ model: h.DEMO, maxTokens: 1500 }).stream(h.LONG_QUESTION, { signal: control.signal })
  await stream.next()
  await h.answersRun()
  control.abort()
  await h.noneRuns()
})

await h.run()
