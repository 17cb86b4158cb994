// A node made of data: answers every call of ui/openapi.json from a world and streams events and answers.
import { createHmac, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { answerSchema, fault, routes } from './schema.mjs';
import { answer, chatHandlers, follow, Refusal, Saved, windowOf } from './chats.mjs';
import { accountHandlers, needsPassword } from './accounts.mjs';
import { houseHandlers } from './house.mjs';
import { moneyHandlers, ofWallet } from './money.mjs';
import { serviceHandlers } from './services.mjs';
import { ADDRESSES, scenarios, words, ownTransaction, roleReview } from './world.mjs';

const DIST = new URL('../../../ui/dist/', import.meta.url);
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json', '.woff2': 'font/woff2' };
const POLICY =
  "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";
/** Answers come up to this late, each by another time, so that they overtake each other. */
const LATE_MS = Number(process.env.UI_LATE ?? 0);
export const TOKEN = 'mock-token';

export class Mock {
  constructor(scenario = 'serving') {
    this.it = scenarios[scenario]();
    this.secret = randomBytes(32);
    /** The cookies of the sign-ins. */
    this.signIns = new Set();
    /** While it is away it answers nobody. */
    this.isAway = false;
    this.listeners = new Set();
    this.calls = [];
    this.faults = [];
    /** What was asked for in vain. */
    this.refused = [];
    this.stopped = new Set();
    /** Answers that are being written, by their id, and all streams of answers. */
    this.writing = new Map();
    this.streams = new Set();
    this.contextLimit = 8192;
    this.contextIsExact = true;
    this.failNext = new Map();
    this.answerPieces = ['Hello', ' from', ' the **mock**', ', block by block.\n\n', '```js\nconst x = 1;\n', '```\n\nDone.'];
    /** An answer stands still after so many pieces until there may be more. */
    this.pieces = Infinity;
    this.chargeOfStopped = 'unknown';
    this.next = 100;
  }

  async start() {
    this.server = createServer((request, response) => void this.handle(request, response));
    await new Promise((done) => this.server.listen(0, '127.0.0.1', done));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  /** The address that signs in by the token. */
  link(path) {
    return `${this.url}/${path}#token=${TOKEN}`;
  }

  pageKey(cookie) {
    return createHmac('sha256', this.secret).update(cookie).digest('hex');
  }

  /** As the node does: a cookie counts together with the key of its page. */
  admit({ cookie = '', 'x-hearth-page': key }, name) {
    const shown = cookie.split('; ').find((one) => one.startsWith(`${this.cookieName}=`))?.slice(this.cookieName.length + 1);
    if (name === 'POST /auth/session') return shown;
    if (shown && key !== this.pageKey(shown)) throw new Refusal(401, 'page_key_needed', 'the cookie came without the key of the page that signed in');
    if (!this.signIns.has(shown) && name !== 'DELETE /auth/session') throw new Refusal(401, 'token_needed', 'the control API needs the token of this node');
    return shown;
  }

  get cookieName() {
    return `hearth_session_${this.server.address().port}`;
  }

  /** A new sign-in: its cookie in the answer's head, the key of its page in the body. */
  signIn(response) {
    const cookie = randomBytes(16).toString('hex');
    this.signIns.add(cookie);
    response.setHeader('set-cookie', `${this.cookieName}=${cookie}; HttpOnly; SameSite=Strict; Path=/`);
    return { page_key: this.pageKey(cookie) };
  }

  async stop() {
    for (const response of this.listeners) response.destroy();
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  leave() {
    this.isAway = true;
    for (const response of this.listeners) response.destroy();
  }

  /** Breaks the connections off on which answers are read. */
  breakStreams() {
    for (const response of this.streams) response.destroy();
    this.streams.clear();
  }

  /** Sends an event to every open page, after checking that it is one. */
  emit(event) {
    this.check('GET', '/events', event);
    for (const response of this.listeners) response.write(`data: ${JSON.stringify(event)}\n\n`);
  }

  check(method, path, value) {
    const schema = answerSchema(method, path);
    const found = schema ? fault(schema, value) : null;
    if (found) this.faults.push(`${method} ${path} ${found}`);
  }

  async handle(request, response) {
    if (this.isAway) return void response.destroy();
    const url = new URL(request.url, this.url);
    if (!url.pathname.startsWith('/api/v1/')) return this.file(url.pathname, response);
    const path = url.pathname.slice('/api/v1'.length);
    const route = routes.find(({ pattern }) => pattern.test(path));
    const name = `${request.method} ${route?.path}`;
    const parts = [];
    for await (const part of request) parts.push(part);
    const bytes = Buffer.concat(parts);
    const isJson = request.headers['content-type'] === 'application/json';
    const input = { ...route?.pattern.exec(path)?.groups, query: url.searchParams, body: isJson ? JSON.parse(bytes.toString()) : null, bytes };
    this.calls.push({ name, ...input });
    if (LATE_MS > 0) await new Promise((done) => setTimeout(done, Math.random() * LATE_MS));
    try {
      input.cookie = this.admit(request.headers, name);
      const planned = this.failNext.get(name);
      if (planned) {
        this.failNext.delete(name);
        throw planned;
      }
      if (name === 'GET /events') return this.events(response);
      if (name === 'POST /conversations/{id}/answers') return answer(this, input, response);
      if (name === 'GET /conversations/{id}/answers/{answer_id}') return follow(this, input, response);
      const handler = handlers[name];
      if (!handler) throw new Refusal(404, 'unknown', `the mock has no ${name}`);
      const said = await handler(this, input, response);
      if (said === undefined) return void response.writeHead(204).end();
      if (said instanceof Saved) return this.save(said, response);
      this.check(request.method, route.path, said);
      if (typeof said === 'string') return void response.writeHead(200, { 'content-type': 'text/csv', 'content-disposition': `attachment; filename="hearth-${/(\w+)\.csv$/.exec(path)[1]}.csv"` }).end(said);
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(said));
    } catch (error) {
      const { status = 500, code = 'mock', remedy = null, values = {} } = error;
      this.refused.push(`${name}: ${status} ${code}`);
      if (status === 500) this.faults.push(`${name}: ${error.stack}`);
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { code, message: error.message, remedy, values } }));
    }
  }

  failOnce(name, status, code, text, remedy) {
    this.failNext.set(name, new Refusal(status, code, text, remedy));
  }

  async file(path, response) {
    const wanted = extname(path) ? path.slice(1) : 'index.html';
    try {
      const bytes = await readFile(fileURLToPath(new URL(wanted, DIST)));
      response.writeHead(200, { 'content-type': TYPES[extname(wanted)] ?? 'application/octet-stream', 'content-security-policy': POLICY }).end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  }

  events(response) {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    this.listeners.add(response);
    response.on('close', () => this.listeners.delete(response));
    const event = { type: 'status', ...this.it.status };
    this.check('GET', '/events', event);
    response.write(`: hello\n\nevent: status\ndata: ${JSON.stringify(event)}\n\n`);
  }

  save({ name, type, text }, response) {
    response.writeHead(200, { 'content-type': type, ...(name ? { 'content-disposition': `attachment; filename="${name}"` } : {}) }).end(text);
  }
}

const table = (head, rows) => [head, ...rows].map((row) => `${row.join(',')}\r\n`).join('');
const setEarning = (mock, state) => {
  mock.it.status.earning = { ...mock.it.status.earning, state, serving: 0, since: new Date().toISOString() };
  mock.emit({ type: 'earning', ...mock.it.status.earning });
  return mock.it.status.earning;
};
const setWallet = (mock, change) => {
  Object.assign(mock.it.status.wallet, change);
  mock.it.walletPage.status = mock.it.status.wallet;
  const { main_locked, working_locked } = mock.it.status.wallet;
  const isLocked = ({ purposes }) => (purposes.some((one) => ['operator', 'gateway'].includes(one)) ? working_locked : main_locked);
  for (const account of mock.it.walletPage.accounts) if (account.kind !== 'watch') account.state = isLocked(account) ? 'locked' : 'open';
  mock.emit({ type: 'wallet', ...mock.it.status.wallet });
  return mock.it.walletPage;
};

const stillWaits = (mock, id) => {
  const one = mock.it.signatures.find((request) => request.id === id);
  if (!one) throw new Refusal(409, 'no_signature_wanted', 'nothing waits under this name');
  return one;
};
const decided = (mock, id) => void (mock.it.signatures = mock.it.signatures.filter((one) => one.id !== id));

const handlers = {
  'POST /auth/session': (mock, { body }, response) => {
    if (body.token && body.token !== TOKEN) throw new Refusal(401, 'wrong_token', 'this token is not the one of this node');
    if (body.password && body.password !== mock.it.loginPassword) throw new Refusal(403, 'wrong_password', 'wrong password; 4 tries left, then a minute of waiting');
    return mock.signIn(response);
  },
  'DELETE /auth/session': (mock, { cookie }) => void mock.signIns.delete(cookie),
  'GET /auth/login': (mock) => mock.it.login,
  // Other sign-ins end; this one goes on with the cookie and the key of the answer.
  'PUT /auth/login': (mock, { body }, response) => {
    if (body.password.length < 10) throw new Refusal(400, 'weak_password', 'the password needs at least 10 characters');
    mock.it.login.set = true;
    mock.it.loginPassword = body.password;
    mock.signIns.clear();
    return mock.signIn(response);
  },
  'GET /status': (mock) => mock.it.status,
  'GET /doctor': (mock) => ({ checks: mock.it.checks }),
  'POST /setup/run': (mock) => {
    const { setup } = mock.it.status;
    Object.assign(setup, { running: true, steps: setup.steps.map((step, index) => ({ ...step, state: index === 0 ? 'running' : 'waiting', error: null })) });
    mock.emit({ type: 'setup', ...setup });
    return setup;
  },
  ...chatHandlers,
  ...houseHandlers,
  ...moneyHandlers,
  ...accountHandlers,
  ...serviceHandlers,
  'GET /models': (mock) => ({ models: mock.it.models }),
  'POST /models/add': (mock, { body }) => {
    if (body.path.includes('missing')) throw new Refusal(400, 'file_unseen', 'Hearth cannot see /models/missing.gguf', null, { path: '/models/missing.gguf' });
    return mock.it.models[0];
  },
  'POST /models/pull': (mock, { body }) => {
    if (!body.from && !mock.it.sourceConfigured) throw new Refusal(400, 'no_source', 'nobody is named who has it');
    const download = { cid: body.cid, title: null, state: 'locating', have_bytes: 0, size_bytes: null, bytes_per_second: null, source: body.from ?? null, error: null, retry_at: null };
    mock.it.downloads.push(download);
    return download;
  },
  'POST /models/{cid}/verify': (mock, { cid }) => ({ cid, ok: true, checked_bytes: 98_000_000, problems: [] }),
  'POST /models/{cid}/load': (mock, { cid }) => Object.assign(mock.it.models.find((one) => one.cid === cid), { state: 'loaded' }),
  'POST /models/{cid}/unload': (mock, { cid }) => Object.assign(mock.it.models.find((one) => one.cid === cid), { state: 'ready' }),
  'DELETE /models/{cid}': (mock, { cid }) => {
    if (mock.it.models.find((one) => one.cid === cid)?.serves.length) throw new Refusal(409, 'model_in_use', 'DeepSeek R1 14B serves llm-r1-14b', 'Take the service out of miner.services first, then restart.');
    mock.it.models = mock.it.models.filter((one) => one.cid !== cid);
  },
  'GET /downloads': (mock) => ({ downloads: mock.it.downloads }),
  'POST /downloads/{cid}/pause': (mock, { cid }) => Object.assign(mock.it.downloads.find((one) => one.cid === cid), { state: 'paused' }),
  'POST /downloads/{cid}/resume': (mock, { cid }) => Object.assign(mock.it.downloads.find((one) => one.cid === cid), { state: 'fetching' }),
  'GET /catalogue': (mock) => ({ models: mock.it.catalogue, source_configured: mock.it.sourceConfigured }),
  'GET /earning': (mock) => mock.it.earningPage,
  'POST /earning/start': (mock) => setEarning(mock, 'idle'),
  'POST /earning/stop': (mock) => setEarning(mock, 'off'),
  'GET /earning/summary': (mock) => mock.it.summary,
  'GET /earning/sessions': (mock, { query }) => ({ sessions: windowOf(query, mock.it.sessions), total: mock.it.sessions.length }),
  'GET /earning/sessions.csv': (mock) => table(['session', 'state'], mock.it.sessions.map((one) => [one.id, one.state])),
  'GET /earning/sessions/{id}/relays': (mock) => ({ relays: mock.it.relays, total: mock.it.relays.length }),
  'GET /wallet': (mock) => mock.it.walletPage,
  'POST /wallet/create': (mock) => ({ words, wallet: setWallet(mock, { exists: true, main_locked: false, working_locked: false, main_address: ADDRESSES.main, working_address: null }) }),
  'POST /wallet/import': (mock, { body }) => {
    if (body.words.includes('wrong')) throw new Refusal(400, 'bad_words', 'Word 3 is not in the list.', 'Look at the spelling.');
    return setWallet(mock, { exists: true, main_locked: false, working_locked: false });
  },
  'POST /wallet/unlock': (mock, { body }) => {
    needsPassword(mock, body.password);
    return setWallet(mock, { main_locked: false, working_locked: false });
  },
  'POST /wallet/lock': (mock) => setWallet(mock, { main_locked: true }),
  'POST /wallet/words': (mock, { body }) => {
    needsPassword(mock, body.password);
    return { words };
  },
  'POST /wallet/check': (mock, { body }) => {
    const matches = body.words === words.join(' ');
    if (matches) setWallet(mock, { words_checked: true });
    return { matches };
  },
  'GET /wallet/balances': (mock) => ofWallet(mock) && mock.it.balances,
  'GET /wallet/history.csv': (mock) => table(['height', 'kind', 'amount_upokt'], mock.it.history.map((one) => [one.height, one.kind, one.amount])),
  'POST /wallet/send': (mock, { body }) => {
    needsPassword(mock, body.password);
    return { tx: 'A9F3D2E1B4C5A6978812F3E4D5C6B7A89F01E2D3C4B5A6978812F3E4D5C6B7A8', height: 871_210 };
  },
  'GET /wallet/transactions': (mock, { query }) => ({ transactions: windowOf(query, mock.it.transactions), total: mock.it.transactions.length }),
  'GET /roles': (mock) => ofWallet(mock) && mock.it.roles,
  'POST /roles/review': (mock, { body }) => {
    if (body.services?.some((one) => one.url.includes('127.0.0.1'))) throw new Refusal(409, 'url_wrong', `${body.services[0].url} is no address for others`, 'Name the address at which others reach this computer.');
    mock.it.roleOrder = body;
    return roleReview(mock, body);
  },
  'POST /roles/send': (mock, { body }) => {
    needsPassword(mock, body.password);
    const all = roleReview(mock, mock.it.roleOrder).steps.map((step, at) => ownTransaction(100 + mock.next++, 'role', 'placed', { messages: step.messages, amount: step.amount }));
    mock.it.transactions.unshift(...all);
    if (mock.it.roleOrder.type === 'unstake') mock.it.roles.application.leaving = { until_height: 871_220, free_height: 871_280, seconds: 3600 * 24 * 3 };
    return { transactions: all, total: all.length };
  },
  'GET /signatures': (mock) => ({ requests: mock.it.signatures ?? [] }),
  'POST /signatures/{id}/approve': (mock, { id, body }) => {
    if (stillWaits(mock, id).needs_password) needsPassword(mock, body.password);
    decided(mock, id);
  },
  'POST /signatures/{id}/refuse': (mock, { id }) => {
    stillWaits(mock, id);
    decided(mock, id);
  },
  'POST /wallet/faucet': () => ({ tx: 'FA', height: 871_210 }),
  'GET /network': (mock) => mock.it.network,
  'GET /network/evidence': (mock) => ({ answers: mock.it.falseAnswers }),
  'POST /network/anchor': (mock, { body }) => {
    if (!/^[0-9a-f]{64}$/i.test(body.hash) || body.height < 1) throw new Refusal(400, 'anchor_wrong', 'a block is named by its height and its hash', 'Copy both again.');
    if (body.hash.startsWith('00')) throw new Refusal(409, 'anchor_contradicted', 'no endpoint has this block', 'Compare once more.');
    Object.assign(mock.it.network, { trust: { height: body.height, hash: body.hash.toUpperCase(), source: 'a person', given_at: new Date().toISOString() }, offered: null, problem: null });
    return mock.it.network;
  },
  'DELETE /network/anchor': (mock) => Object.assign(mock.it.network, { trust: { ...mock.it.network.trust, source: 'network file', given_at: null } }),
  'POST /network/endpoints': (mock, { body }) => {
    const { host } = new URL(body.url);
    if (host.startsWith('silent')) throw new Refusal(503, 'endpoint_silent', `${host} gives no usable answer`, 'Look at its address.');
    mock.it.network.endpoints.push({ ...mock.it.network.endpoints[0], id: `e${mock.next++}`, url: `${host}:443`, added: true, state: 'ok', error: null, lies: 0, score: 88, latency_ms: 120 });
    return mock.it.network;
  },
  'POST /network/endpoints/remove': (mock, { body }) => {
    mock.it.network.endpoints = mock.it.network.endpoints.filter((one) => one.id !== body.endpoint);
    return mock.it.network;
  },
  'POST /network/endpoints/test': (mock) => ({
    trials: mock.it.network.endpoints.map(({ id, url, state }) => ({ id, url, latency_ms: state === 'ok' ? 90 : null, height: state === 'ok' ? 871_208 : null, chain: 'pocket', agrees: state === 'ok' ? true : null, proves: state === 'ok', error: state === 'ok' ? null : 'connection refused' })),
  }),
  'GET /receipts': (mock, { query }) => ({ answers: windowOf(query, mock.it.receipts), total: mock.it.receipts.length }),
  'GET /settings': (mock) => mock.it.settings,
  'PATCH /settings': (mock, { body }) => {
    const { daily_cap, ...rest } = body;
    if (daily_cap != null) mock.it.settings.network_budget = { ...mock.it.settings.network_budget, daily_cap };
    const clean = Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, value === '' ? null : value]));
    return Object.assign(mock.it.settings, clean);
  },
  'GET /keys': (mock) => ({ keys: mock.it.keys }),
  'POST /keys': (mock, { body }) => {
    const key = { id: `k${mock.next++}`, name: body.name, prefix: 'hk-77aa', limits: body.limits ?? {}, created_at: new Date().toISOString(), last_used_at: null, revoked_at: null, spent_today: '0', spent: '0' };
    mock.it.keys.push(key);
    return { key, secret: 'hk-77aa-secret-said-once' };
  },
  'DELETE /keys/{id}': (mock, { id }) => void (mock.it.keys = mock.it.keys.filter((one) => one.id !== id)),
  'PATCH /keys/{id}': (mock, { id, body }) => Object.assign(mock.it.keys.find((one) => one.id === id), body),
  'GET /usage': (mock) => mock.it.usage,
  'GET /usage.csv': (mock) => table(['asker', 'model', 'requests'], mock.it.usage.sums.map((one) => [one.asker, one.model, one.counts.requests])),
  'GET /licences': (mock) => ({ licences: mock.it.licences }),
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const mock = await new Mock(process.argv[2] ?? 'serving').start();
  console.log(mock.link(''));
}
