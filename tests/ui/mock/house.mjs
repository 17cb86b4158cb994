// What the mock says of the node itself: its configuration, its new start, the first run.
import { Refusal } from './chats.mjs';

const setting = (key, kind, value, more = {}) => ({ key, kind, choices: [], value, in_force: null, origin: 'built-in', locked: false, at_once: false, ...more });

export const config = (network) => ({
  file: '/home/ada/.local/share/hearth/config.toml',
  needs_restart: false,
  can_restart: true,
  problem: null,
  settings: [
    setting('api.allowed_hosts', 'list', ''),
    setting('api.listen', 'address', '127.0.0.1:4327'),
    setting('backends', 'tables', ''),
    setting('chain.rpc', 'list', ''),
    setting('chain.trust.hash', 'text', ''),
    setting('chain.trust.height', 'number', ''),
    setting('log.filter', 'text', 'info', { at_once: true }),
    setting('log.format', 'choice', 'text', { choices: ['text', 'json'] }),
    setting('miner.backend', 'url', ''),
    setting('miner.listen', 'address', '0.0.0.0:4328'),
    setting('miner.public_url', 'url', '', {}),
    setting('miner.services', 'names', ''),
    setting('miner.slots', 'number', '0'),
    setting('miner.start', 'yes_no', 'false'),
    setting('models.aliases.gpt-4.1', 'text', 'deepseek-r1-14b', { origin: '/home/ada/.local/share/hearth/config.toml' }),
    setting('network', 'text', network, { origin: 'flag', locked: true }),
    setting('stop_within_s', 'number', '25', { origin: 'environment HEARTH_STOP_WITHIN_S', locked: true }),
  ],
});

export const firstRun = (wanted) => ({
  wanted,
  steps: ['computer', 'model', 'wallet', 'role', 'ready'].map((id) => ({ id, state: 'open' })),
  role: null,
  computer: { cpu: 'AMD Ryzen 7 7700', threads: 16, memory_bytes: 33_500_000_000, available_bytes: 21_000_000_000, graphics: [], disk_free_bytes: 312_000_000_000 },
});

const builtIn = new Map(config('mainnet').settings.filter((one) => one.origin === 'built-in').map((one) => [one.key, one.value]));
const kindOf = (key) => (key.startsWith('backends.') ? 'url' : 'text');

function change(page, { key, value }) {
  let one = page.settings.find((setting) => setting.key === key);
  if (!one) {
    const known = /^(?:backends\.[\w-]+\.url|miner\.services\..+|miner\.aliases\..+|models\.aliases\..+)$/.test(key);
    if (!known) throw new Refusal(400, 'config_unknown', `"${key}" is no setting`);
    one = setting(key, kindOf(key), '');
    page.settings.push(one);
    page.settings.sort((a, b) => (a.key < b.key ? -1 : 1));
  }
  if (one.locked) throw new Refusal(409, 'config_locked', `${key} is set by ${one.origin}`);
  if (one.kind === 'number' && value !== null && !/^\d+$/.test(value)) throw new Refusal(400, 'config_refused', `${key} takes a whole number from 0 to 9223372036854775807, not "${value}"`);
  const before = one.in_force ?? one.value;
  one.value = (value ?? builtIn.get(key) ?? '').trim();
  one.origin = value === null ? 'built-in' : page.file;
  one.in_force = one.at_once || one.value === before ? null : before;
}

export const houseHandlers = {
  'GET /config': (mock) => mock.it.config,
  'PATCH /config': (mock, { body }) => {
    const page = structuredClone(mock.it.config);
    const trust = body.changes.filter(({ key }) => key.startsWith('chain.trust.'));
    if (trust.length === 1) throw new Refusal(400, 'config_refused', 'chain.trust needs both height and hash');
    for (const one of body.changes) change(page, one);
    page.needs_restart = page.settings.some((one) => one.in_force !== null);
    mock.it.config = page;
    return page;
  },
  'POST /restart': (mock) => {
    // What waited counts, and every stream begins anew.
    mock.it.config.settings = mock.it.config.settings.map((one) => ({ ...one, in_force: null }));
    mock.it.config.needs_restart = false;
    mock.it.status.started_at = new Date().toISOString();
    for (const response of mock.listeners) setTimeout(() => response.destroy(), 50);
  },
  'GET /first-run': (mock) => mock.it.firstRun,
  'PATCH /first-run': (mock, { body }) => {
    const run = mock.it.firstRun;
    if (body.ended === false) Object.assign(run, firstRun(true));
    if (body.step) run.steps = run.steps.map((step) => (step.id === body.step.id ? body.step : step));
    if (body.role) run.role = body.role;
    run.wanted = body.ended !== true;
    return run;
  },
};
