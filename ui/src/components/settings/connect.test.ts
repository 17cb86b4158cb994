import { fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Program, ProgramList } from '$lib/api/generated';
import TestFrame from '../../TestFrame.svelte';
import Connect from './Connect.svelte';

const program = (more: Partial<Program> = {}): Program => ({
  id: 'codex', title: 'Codex', what: 'agent', found: true, path: '/home/me/.codex/config.toml', keeps_key_in_file: true, connected: null,
  snippets: [{ label: '/home/me/.codex/config.toml', language: 'toml', text: 'experimental_bearer_token = "KEY"\n' }],
  ...more,
});
const list = (more: Partial<ProgramList> = {}): ProgramList => ({ programs: [program()], model: 'm', key_placeholder: 'KEY', may_write: true, ...more });
type Sent = { url: string; method: string; body: unknown };
let sent: Sent[] = [];
let answer: (sent: Sent) => unknown = () => null;
const of = (method: string) => sent.filter((one) => one.method === method);

beforeEach(() => {
  sent = [];
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    const one = { url, method: init.method ?? 'GET', body: init.body ? JSON.parse(init.body as string) : null };
    sent.push(one);
    return new Response(JSON.stringify(answer(one)), { status: 200 });
  });
});
afterEach(() => vi.unstubAllGlobals());

const answers = (given: ProgramList) => (one: Sent) => {
  if (one.url.includes('/models')) return { models: [{ id: 'm', title: 'M', kind: 'local', task: 'chat', state: 'ready' }] };
  if (one.url.includes('/keys')) return { key: { id: 'k' }, secret: 'sk-hearth-new' };
  if (!one.url.includes('/connect/')) return given;
  if (one.method === 'POST') return { connected: { path: '/p', model: 'm', root: 'r', key_id: 'k', at: '2026-11-21T19:46:00Z' }, secret: null };
  if (one.method === 'DELETE') return { path: '/p', kept: ['model'], removed: false };
  return { path: '/home/me/.codex/config.toml', seen: 'abc', lines: [{ kind: 'removed', text: 'model = "a"' }, { kind: 'added', text: 'model = "m"' }] };
};

test('what is written is shown before, and sent back as it was seen', async () => {
  answer = answers(list());
  render(TestFrame, { part: Connect });
  await fireEvent.click(await screen.findByRole('button', { name: /Codex/ }));
  await fireEvent.click(await screen.findByRole('button', { name: 'Show what changes' }));
  const diff = await screen.findByTestId('connect-diff');
  expect(diff.textContent).toMatch(/- model = "a"\s+\+ model = "m"/);
  expect(of('POST')).toEqual([]);
  await fireEvent.click(screen.getByRole('button', { name: 'Write it' }));
  await vi.waitFor(() => expect(of('POST')[0]).toMatchObject({ url: expect.stringMatching(/\/connect\/codex$/), body: { model: 'm', seen: 'abc' } }));
});

test('a key that is made stands in the lines', async () => {
  answer = answers(list());
  render(TestFrame, { part: Connect });
  await fireEvent.click(await screen.findByRole('button', { name: /Codex/ }));
  await fireEvent.click(await screen.findByRole('button', { name: 'Make a key for it' }));
  await vi.waitFor(() => expect(screen.getByTestId('connect-sheet').textContent).toContain('experimental_bearer_token = "sk-hearth-new"'));
  expect(of('POST')[0]?.body).toEqual({ name: 'Codex', limits: { scopes: ['local', 'embeddings'] } });
});

test('a connected one is taken back, and what stays is named', async () => {
  const connected = { path: '/p', model: 'm', root: 'r', key_id: 'k', at: '2026-11-21T19:46:00Z' };
  answer = answers(list({ programs: [program({ connected })] }));
  render(TestFrame, { part: Connect });
  await fireEvent.click(await screen.findByRole('button', { name: /Codex/ }));
  await fireEvent.click(await screen.findByRole('button', { name: 'Take it back' }));
  await vi.waitFor(() => expect(screen.getByTestId('connect-sheet').textContent).toContain('model was changed since'));
});

test('from elsewhere nothing is written', async () => {
  answer = answers(list({ may_write: false }));
  render(TestFrame, { part: Connect });
  await fireEvent.click(await screen.findByRole('button', { name: /Codex/ }));
  await screen.findByRole('button', { name: 'Make a key for it' });
  expect(screen.queryByRole('button', { name: 'Show what changes' })).toBeNull();
});
