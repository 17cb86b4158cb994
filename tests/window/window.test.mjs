// A real window under Xvfb, driven by tauri-driver: what only the window has. The page itself is tested in the browser.
import { test, before, after } from 'node:test'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, writeFileSync, rmSync, existsSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './support.mjs'

const program = join(process.env.CARGO_TARGET_DIR, 'debug', 'hearth')
const scratch = mkdtempSync(join(tmpdir(), 'hearth-window-'))
const data = join(scratch, 'data')
const driverUrl = 'http://127.0.0.1:4444'
const args = [
  '--network', 'devnet', '--data-dir', data, '--listen', '127.0.0.1:0', '--miner-listen', '127.0.0.1:0', '--devnet-listen', '127.0.0.1:0',
]
let driver, session

async function wd(method, path, body) {
  const answer = await fetch(driverUrl + path, { method, body: body === undefined ? undefined : JSON.stringify(body) })
  const json = await answer.json()
  if (!answer.ok) throw new Error(JSON.stringify(json.value))
  return json.value
}

const script = (text) => wd('POST', `/session/${session}/execute/sync`, { script: text, args: [] })
const api = (path) => {
  const address = readFileSync(join(data, 'api-address'), 'utf8').trim()
  const token = readFileSync(join(data, 'api-token'), 'utf8').trim()
  return fetch(`http://${address}${path}`, { headers: { authorization: `Bearer ${token}` } })
}

before(async () => {
  const env = { ...process.env, HEARTH_WEIGHTS__DEMO_FOLDER: process.env.TEST_MODELS_DIR }
  driver = spawn('tauri-driver', ['--port', '4444', '--native-port', '4445'], { env, stdio: 'ignore' })
  await until('tauri-driver', async () => (await fetch(`${driverUrl}/status`)).ok)
  const capabilities = { alwaysMatch: { 'tauri:options': { application: program, args } } }
  session = (await until('the window', () => wd('POST', '/session', { capabilities }), 90_000)).sessionId
})

after(async () => {
  if (session) await wd('DELETE', `/session/${session}`).catch(() => {})
  driver?.kill('SIGKILL')
  rmSync(scratch, { recursive: true, force: true })
})

test('the window shows the page, signed in, in a usable locale', async () => {
  await until('the page', () => script('return document.querySelector("main h1, main [role=heading], h1") !== null'))
  assert.equal(await script('return location.hash.includes("token")'), false)
  const language = await script('return navigator.language')
  assert.notEqual(language, 'C')
  assert.ok(await script('return new Intl.NumberFormat(navigator.language).format(1234)'))
  const shot = await wd('GET', `/session/${session}/screenshot`)
  writeFileSync(join(tmpdir(), 'hearth-window.png'), Buffer.from(shot, 'base64'))
})

test('the window runs its own node', async () => {
  assert.ok(existsSync(join(data, 'api-address')))
  assert.equal((await api('/api/v1/status')).status, 200)
})

test('a link of the page works by a real click', async () => {
  const link = await until('the navigation', () =>
    wd('POST', `/session/${session}/element`, { using: 'css selector', value: 'nav a[href="/network"]' }),
  )
  const id = Object.values(link)[0]
  await wd('POST', `/session/${session}/element/${id}/click`, {})
  await until('the Network page', async () => (await script('return location.pathname')) === '/network')
})

test('a second start raises the first window and ends', async () => {
  const second = spawn(program, args, { env: process.env, stdio: 'ignore' })
  const code = await new Promise((resolve, reject) => {
    second.on('exit', resolve)
    setTimeout(() => reject(new Error('the second instance stays')), 30_000)
  })
  assert.equal(code, 0)
  assert.equal((await api('/health')).status, 200)
})

test('without a tray, closing the window ends the node within its deadline', async () => {
  const pid = Number(readFileSync(join(data, 'lock'), 'utf8'))
  await wd('DELETE', `/session/${session}/window`).catch(() => {})
  await until('the end', () => {
    try {
      process.kill(pid, 0)
      return false
    } catch {
      return true
    }
  }, 40_000)
  session = undefined
})
