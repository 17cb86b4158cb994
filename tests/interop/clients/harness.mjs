// What the tests of all Node clients share; harness.py says how tests are counted.

export const url = process.env.NODE_URL
export const base = `${url}/v1`
export const key = process.env.NODE_KEY
export const [DEMO, AGENT, EMBEDDER] = ['smollm2-135m-instruct', 'tiny-agent', 'tiny-embed']
export const [SAID, TOLD, THOUGHT, CONCLUDED] = ['Hello world!', 'It is sunny.', 'Let me see', 'Done']
export const LONG_QUESTION = 'Write a very long story about a dog, in ten chapters.'
// Longer than the context of the agent, 4096 tokens.
export const TOO_LONG = 'z'.repeat(6000)
export const WEATHER = {
  name: 'get_weather',
  description: 'Tells the weather of a city.',
  parameters: {
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  },
}
const hi = { model: AGENT, messages: [{ role: 'user', content: 'Hi' }], max_tokens: 200 }
const tools = [{ type: 'function', function: WEATHER }]
const probes = {
  tools: ['/v1/chat/completions', { ...hi, tools, tool_choice: 'required' }],
  schema: ['/v1/chat/completions', { ...hi, response_format: { type: 'json_object' } }],
  thinking: ['/v1/chat/completions', { ...hi, chat_template_kwargs: { enable_thinking: true } }],
  responses: ['/v1/responses', { model: AGENT, input: 'Hi' }],
  'bare paths': ['/chat/completions', hi],
  keys: ['/v1/chat/completions', hi],
}
const known = new Map()

export function assert(holds, ...facts) {
  if (!holds) throw new Error(`not so: ${facts.map((fact) => JSON.stringify(fact)).join(' ').slice(0, 600)}`)
}

export function equal(got, wanted) {
  assert(JSON.stringify(got) === JSON.stringify(wanted), got, wanted)
}

// The error of that kind which `call` raises; `kind` is a class, or a test of the error.
export async function raises(kind, call) {
  let answer
  try {
    answer = await call()
  } catch (error) {
    if (kind.prototype instanceof Error ? error instanceof kind : kind(error)) return error
    throw error
  }
  throw new Error(`no error but ${JSON.stringify(answer)}`.slice(0, 500))
}

export async function post(path, body, headers = {}) {
  const answer = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, ...headers },
    body: JSON.stringify(body),
  })
  const text = await answer.text()
  try {
    return [answer.status, JSON.parse(text)]
  } catch {
    return [answer.status, text]
  }
}

// What the node does in place of a feature; empty where it has it.
async function lacks(feature) {
  if (!known.has(feature)) known.set(feature, await probe(feature))
  return known.get(feature)
}

async function probe(feature) {
  const [path, body] = probes[feature]
  if (feature === 'keys') {
    const [status] = await post(path, body, { authorization: 'Bearer sk-hearth-wrong' })
    return status === 401 ? '' : `a wrong key gets status ${status}`
  }
  const [status, answer] = await post(path, body)
  if (status !== 200) return `${path} gives ${status} ${JSON.stringify(answer).slice(0, 200)}`
  const message = answer.choices?.[0].message ?? {}
  if (feature === 'tools' && !message.tool_calls?.length) return 'a call that is required is not made'
  if (feature === 'thinking' && !message.reasoning_content) return 'the thought is not apart'
  return ''
}

async function runningAnswers() {
  const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${key}` } })
  return Number(/^hearth_running_answers (\d+)/m.exec(await answer.text())[1])
}

async function waitsUntil(holds, otherwise) {
  const until = Date.now() + 20_000
  while (!(await holds())) {
    assert(Date.now() < until, otherwise)
    await new Promise((done) => setTimeout(done, 50))
  }
}

// Other clients may be at work, whose answers are short; a long one that is not stopped takes a minute and more.
export const answersRun = () => waitsUntil(async () => (await runningAnswers()) > 0, 'no answer runs')
export const noneRuns = () =>
  waitsUntil(async () => (await runningAnswers()) === 0, 'an answer runs on that nobody waits for')

const tests = []

// Adds a test; `needs` are features without which it is skipped.
export function test(needs, run) {
  tests.push([needs, run])
}

export async function run() {
  const strict = process.argv.includes('--strict')
  const only = process.argv.slice(2).filter((word) => !word.startsWith('--'))
  const client = process.argv[1].split('/').at(-1).replace('.mjs', '')
  let [passed, failed] = [0, 0]
  for (const [needs, run] of tests) {
    const name = `${client}.${run.name}`
    if (only.length && !only.some((word) => name.includes(word))) continue
    let lacking = ''
    for (const feature of needs) lacking ||= await lacks(feature)
    if (lacking && !strict) {
      console.log(`skipped ${name}: ${lacking}`)
      continue
    }
    const began = Date.now()
    try {
      assert(!lacking, lacking)
      await run()
      passed += 1
      console.log(`ok     ${name} ${((Date.now() - began) / 1000).toFixed(1)} s`)
    } catch (error) {
      failed += 1
      console.log(`FAILED ${name}: ${`${error.name}: ${error.message}`.replace(/\s+/g, ' ').slice(0, 600)}`)
      if (process.argv.includes('--trace')) console.log(error)
    }
  }
  console.log(`counted: ${passed} ${failed}`)
  process.exit(failed > 0 ? 1 : 0)
}
