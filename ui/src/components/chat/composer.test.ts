// When the composer sends, and what it says when it does not.
import { fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Model } from '$lib/api/generated';
import { drafts } from '$lib/controllers/drafts.svelte';
import { models } from '$lib/controllers/models.svelte';
import Composer from './Composer.svelte';

const model = { id: 'm', title: 'M', kind: 'local', task: 'chat', state: 'ready' } as Model;
let read: () => Promise<Response>;
const asked: string[] = [];

beforeEach(() => {
  asked.length = 0;
  read = () => new Promise(() => {});
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    asked.push(`${init.method} ${url}`);
    if (url.includes('/attachments')) return read();
    if (url.includes('/context')) return Promise.resolve(Response.json({ tokens: 1240, limit: 8192, is_exact: false }));
    return Promise.resolve(Response.json({ presets: [], error: { code: 'not_found', message: 'none' } }, { status: url.includes('/presets') ? 200 : 404 }));
  });
});
afterEach(() => {
  drafts.takeAll('new');
  vi.unstubAllGlobals();
});

const shown = (given: Model | null = model) => render(Composer, { model: given, oneditlast: () => {} });
const canSend = () => screen.getByTestId('send').getAttribute('aria-disabled') !== 'true';
const type = (text: string) => fireEvent.input(screen.getByTestId('composer'), { target: { value: text } });
const attach = () => fireEvent.change(screen.getByTestId('file-chooser'), { target: { files: [new File(['x'], 'a.txt')] } });

test('words are sent, blanks are not; without a model it says why', async () => {
  const { unmount } = shown();
  expect(canSend()).toBe(false);
  await type('  ');
  expect(canSend()).toBe(false);
  await type('hello');
  expect(canSend()).toBe(true);
  unmount();
  shown(null);
  expect(canSend()).toBe(false);
  expect(screen.getByText('No model yet. Add one on the Models page.')).toBeTruthy();
});

test('without a wallet it speaks of paying for answers; a service is no choice of its own', () => {
  const network = { id: 'pocket/aaa', title: 'A', kind: 'network', task: 'chat', state: 'unavailable', suppliers: null, unavailable: { code: 'no_wallet', fact: null, meaning: '', remedy: null } } as unknown as Model;
  const { unmount } = shown(network);
  expect(screen.getByText('Answers of the network are paid for with POKT, and there is no wallet to pay from. Create a wallet, or restore one.')).toBeTruthy();
  unmount();
  models.list.value = [network];
  shown(null);
  expect(screen.getByText(/^No model is ready\./)).toBeTruthy();
  models.list.value = null;
});

test('it waits while a file is read, and sends with it after', async () => {
  let done: (response: Response) => void = () => {};
  read = () => new Promise((resolve) => (done = resolve));
  shown();
  await type('hello');
  await attach();
  expect(screen.getByTestId('files').textContent).toMatch(/a\.txt\s*being read/);
  expect(canSend()).toBe(false);
  done(Response.json({ id: 'f', name: 'a.txt', media_type: 'text/plain', bytes: 1, characters: 1, is_cut: false }));
  await vi.waitFor(() => expect(canSend()).toBe(true));
  expect(screen.getByTestId('files').textContent).toMatch(/1\sB/);
});

test('a file that cannot be read is in the way until it is taken out', async () => {
  read = async () => Response.json({ error: { code: 'chat_file_empty', message: 'the file is empty', remedy: null } }, { status: 400 });
  shown();
  await type('hello');
  await attach();
  await vi.waitFor(() => expect(screen.getByTestId('files').textContent).toMatch(/The file is empty\./));
  expect(canSend()).toBe(false);
  expect(screen.getByText('A file cannot be read. Take it out, then send.')).toBeTruthy();
  await fireEvent.click(screen.getByRole('button', { name: 'Take out a.txt' }));
  expect(canSend()).toBe(true);
});

test('the context of the draft is said, and asked for once for words that come fast', async () => {
  shown();
  await vi.waitFor(() => expect(screen.getByTestId('context').textContent?.replaceAll(/\s+/g, ' ')).toContain('≈ 1,240 of 8,192 tokens'));
  const before = asked.filter((one) => one.includes('/context')).length;
  for (const text of ['a', 'ab', 'abc']) await type(text);
  await vi.waitFor(() => expect(asked.filter((one) => one.includes('/context')).length).toBe(before + 1), { timeout: 3000 });
});
