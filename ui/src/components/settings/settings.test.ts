import { fireEvent, render, screen } from '@testing-library/svelte';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ApiKey, UsageReport } from '$lib/api/generated';
import { pages } from '$lib/controllers/router.svelte';
import { settings } from '$lib/controllers/settings.svelte';
import { usage } from '$lib/controllers/usage.svelte';
import { keyState } from '$lib/words/keys';
import TestFrame from '../../TestFrame.svelte';
import UsageView from '../views/UsageView.svelte';
import Keys from './Keys.svelte';
import { draftOf, emptyDraft, faultOf, limitsOf } from './draft';

const key = (more: Partial<ApiKey> = {}): ApiKey => ({
  id: 'k1', name: 'editor', prefix: 'sk-hearth-ab12', created_at: '2026-11-21T19:46:00Z', spent: '1500000', spent_today: '500000',
  limits: { scopes: ['local', 'network'], models: ['pocket/*'], origins: [], requests_per_minute: 60, daily_budget: '500000', expires_at: '2030-05-05T12:34:56Z' },
  ...more,
});
type Sent = { url: string; method: string; body: unknown };
let sent: Sent[] = [];
let answer: (sent: Sent) => unknown = () => null;
const text = (container: Element) => container.textContent?.replaceAll(/[\s\u00a0]+/g, ' ') ?? '';

beforeEach(() => {
  sent = [];
  settings.keys.value = null;
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    const one = { url, method: init.method ?? 'GET', body: init.body ? JSON.parse(init.body as string) : null };
    sent.push(one);
    return new Response(JSON.stringify(answer(one)), { status: 200 });
  });
});
afterEach(() => vi.unstubAllGlobals());

test('what is typed becomes limits, and what was not touched stays', () => {
  const draft = emptyDraft();
  expect(faultOf(draft)).toBe('name');
  draft.name = 'editor';
  expect(faultOf(draft)).toBeNull();
  expect(limitsOf(draft)).toEqual({ scopes: ['local', 'network', 'embeddings'], models: [], origins: [], requests_per_minute: null, tokens_per_minute: null, daily_budget: null, total_budget: null, expires_at: null });
  Object.assign(draft, { models: 'pocket/*, q\n r', origins: 'http://localhost:5173', requests: '60', until: '2030-01-31' });
  draft.daily = { typed: '0.5', amount: '500000' };
  expect(limitsOf(draft)).toMatchObject({ models: ['pocket/*', 'q', 'r'], origins: ['http://localhost:5173'], requests_per_minute: 60, daily_budget: '500000', expires_at: new Date(2030, 1, 1).toISOString() });
  expect(faultOf({ ...draft, requests: '0' })).toBe('requests');
  expect(faultOf({ ...draft, tokens: '1.5' })).toBe('tokens');
  expect(faultOf({ ...draft, total: { typed: 'x', amount: null } })).toBe('total');
  expect(faultOf({ ...draft, scopes: [] })).toBe('scopes');
  const before = key();
  expect(limitsOf(draftOf(before), before)).toMatchObject(before.limits);
});

test('a key is shown with what it may do, is made with limits, and changed', async () => {
  answer = ({ method, url }) => {
    if (url.endsWith('/keys') && method === 'GET') return { keys: [key(), key({ id: 'k2', name: 'old one', revoked_at: '2026-11-22T00:00:00Z' })] };
    return method === 'POST' ? { key: key(), secret: 'sk-hearth-secret' } : key();
  };
  const { container } = render(TestFrame, { part: Keys });
  await vi.waitFor(() => expect(text(container)).toContain('editor'));
  for (const words of [/Models on this computer, Models of the network · pocket\/\* · 60 requests a minute · 0\.5 POKT a day · until/, /spent 0\.5 POKT today, 1\.5 in all/]) expect(text(container)).toMatch(words);
  expect(text(container)).not.toContain('old one');
  await fireEvent.click(screen.getByRole('button', { name: '1 revoked' }));
  expect(text(container)).toMatch(/old one ?revoked/);

  await fireEvent.input(screen.getByLabelText('Name of a new key'), { target: { value: 'laptop' } });
  await fireEvent.click(screen.getByRole('button', { name: 'Limits' }));
  await fireEvent.click(screen.getByRole('button', { name: 'Embeddings' }));
  await fireEvent.input(screen.getByLabelText('Requests a minute'), { target: { value: '10' } });
  await fireEvent.input(screen.getByLabelText('Budget in all, in POKT'), { target: { value: '2' } });
  await fireEvent.click(screen.getByRole('button', { name: 'Make key' }));
  await vi.waitFor(() => expect(screen.getByTestId('key-secret').textContent).toBe('sk-hearth-secret'));
  const made = sent.find((one) => one.method === 'POST')?.body;
  expect(made).toMatchObject({ name: 'laptop', limits: { scopes: ['local', 'network'], requests_per_minute: 10, total_budget: '2000000' } });

  await fireEvent.click(screen.getByRole('button', { name: 'Change key editor' }));
  const models = await screen.findByLabelText('Models it may ask');
  await fireEvent.input(models, { target: { value: '' } });
  await fireEvent.click(screen.getByRole('button', { name: 'Save key' }));
  await vi.waitFor(() => expect(sent.find((one) => one.method === 'PATCH')?.body).toMatchObject({ name: 'editor', limits: { models: [], requests_per_minute: 60, expires_at: '2030-05-05T12:34:56Z' } }));
});

test('a key that does not count says why', () => {
  expect(keyState(key())).toBeNull();
  expect(keyState(key({ revoked_at: '2026-11-22T00:00:00Z' }))).toBe('revoked');
  expect(keyState(key(), new Date('2031-01-01').getTime())).toBe('expired');
});

test('usage has a bar for each day and a line for everybody who asked', async () => {
  const counts = { requests: 4, errors: 1, prompt_tokens: 1000, completion_tokens: 234, cost: '1500000' };
  const none = { requests: 0, errors: 0, prompt_tokens: 0, completion_tokens: 0, cost: '0' };
  const report: UsageReport = {
    days: [{ date: '2026-11-29', counts: none }, { date: '2026-11-30', counts }],
    sums: [
      { asker: 'key', key_id: 'k1', key_name: 'editor', model: 'pocket/svc', counts },
      { asker: 'local', model: '', counts: none },
      { asker: 'key', key_id: 'k0', model: 'chat', counts: none },
    ],
    total: 5,
  };
  answer = () => report;
  const { container } = render(UsageView);
  await vi.waitFor(() => expect(container.querySelectorAll('tbody tr').length).toBe(3));
  const bars = [...container.querySelectorAll<HTMLElement>('.bar')].map((bar) => `${bar.style.height} ${bar.className}`);
  expect(bars.length).toBe(2);
  expect(bars[1]).toMatch(/^100% .*today/);
  for (const words of [/4 requests/, /editor ?pocket\/svc ?4 ?1 ?1,234 ?1\.500000/, /Programs without a key ?–/, /A key that is gone/, /and 2 more lines/]) expect(text(container)).toMatch(words);
  await fireEvent.click(screen.getByRole('radio', { name: '7 days' }));
  await vi.waitFor(() => expect(sent.at(-1)?.url).toContain('/usage?days=7'));
  usage.days = 30;
});

test('the node serves the page for every route that the page knows', () => {
  const source = readFileSync('../node/api/src/ui.rs', 'utf8');
  const served = /const PAGES[^=]*= \[([^\]]+)\]/.exec(source)?.[1]?.match(/\w+/g);
  expect(served?.sort()).toEqual([...pages].sort());
});
