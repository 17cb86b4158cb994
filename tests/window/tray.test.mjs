// The tray, with a host for it on the session bus: its words, Start, Stop, a window that only hides, Quit.
import { test, before, after } from 'node:test'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { mkdtempSync, rmSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sleep, until } from './support.mjs'

const program = join(process.env.CARGO_TARGET_DIR, 'debug', 'hearth')
const scratch = mkdtempSync(join(tmpdir(), 'hearth-tray-'))
const data = join(scratch, 'data')
let host, lines, hearth, ended

/** Asks the host of the tray. One question at a time. */
async function ask(command) {
  host.stdin.write(`${JSON.stringify(command)}\n`)
  const { value } = await lines.next()
  const { answer, error } = JSON.parse(value)
  if (error) throw new Error(error)
  return answer
}

const menu = async () => Object.fromEntries(((await ask({ do: 'menu' })) ?? []).map((entry) => [entry.label, entry]))

async function click(label) {
  const entry = (await menu())[label]
  assert.ok(entry?.enabled, `${label} can be clicked`)
  await ask({ do: 'click', id: entry.id })
}

async function earning() {
  const address = readFileSync(join(data, 'api-address'), 'utf8').trim()
  const token = readFileSync(join(data, 'api-token'), 'utf8').trim()
  const answer = await fetch(`http://${address}/api/v1/status`, { headers: { authorization: `Bearer ${token}` } })
  return (await answer.json()).earning.state
}

before(async () => {
  // The system's Python has the system's packages.
  host = spawn('/usr/bin/python3', [fileURLToPath(new URL('desktop_host.py', import.meta.url))], { stdio: ['pipe', 'pipe', 'inherit'] })
  lines = createInterface({ input: host.stdout })[Symbol.asyncIterator]()
  assert.equal((await lines.next()).value, 'ready')
  const env = { ...process.env, HEARTH_WEIGHTS__DEMO_FOLDER: process.env.TEST_MODELS_DIR, HEARTH_MINER__BACKEND: 'null' }
  hearth = spawn(
    program,
    ['--network', 'devnet', '--data-dir', data, '--listen', '127.0.0.1:0', '--miner-listen', '127.0.0.1:0', '--devnet-listen', '127.0.0.1:0'],
    { env, stdio: 'ignore' },
  )
  ended = new Promise((resolve) => hearth.on('exit', resolve))
  await until('the icon', async () => 'Quit' in (await menu()), 90_000)
})

after(() => {
  hearth?.kill('SIGKILL')
  host?.kill('SIGKILL')
  rmSync(scratch, { recursive: true, force: true })
})

test('the menu says what earning does', async () => {
  await until('earning', async () => ['idle', 'serving'].includes(await earning()), 90_000)
  const entries = await until('its words', async () => {
    const now = await menu()
    return now['Stop earning']?.enabled && now
  })
  assert.equal(entries['Start earning'].enabled, false)
  assert.ok(Object.keys(entries).some((label) => /earning|idle|serving/i.test(label) && !/^(Start|Stop)/.test(label)), Object.keys(entries).join())
})

test('Stop and Start do what they say', async () => {
  await click('Stop earning')
  await until('the stop', async () => (await earning()) === 'off')
  await until('Start', async () => (await menu())['Start earning']?.enabled)
  await click('Start earning')
  await until('the start', async () => (await earning()) !== 'off')
})

test('closing the window hides it, and the node goes on', async () => {
  await until('the window', () => ask({ do: 'close', title: 'Hearth' }))
  await sleep(2000)
  assert.equal(hearth.exitCode, null)
  assert.notEqual(await earning(), undefined)
})

test('Quit ends the node within its deadline', async () => {
  await click('Quit')
  const code = await Promise.race([ended, sleep(40_000).then(() => 'still there')])
  assert.equal(code, 0)
})
