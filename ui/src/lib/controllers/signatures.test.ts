import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { SignatureRequest } from '$lib/api/generated';
import { LOOK_MS, Signatures } from './signatures.svelte';

const request = (id: string, text = id) => ({ id, asked_by: 'a program', address: 'pokt1me', content: { type: 'text', text }, needs_password: false }) as SignatureRequest;
let waiting: SignatureRequest[];
let orders: string[];
beforeEach(() => {
  vi.useFakeTimers();
  [waiting, orders] = [[], []];
  vi.stubGlobal('fetch', async (url: string, init?: RequestInit) => {
    const [, id, order] = /signatures\/([^/]+)\/(\w+)/.exec(String(url)) ?? [];
    if (!id) return Response.json({ requests: waiting });
    orders.push(`${init?.method} ${order} ${id}`);
    waiting = waiting.filter((one) => one.id !== id);
    return new Response(null, { status: 204 });
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});
async function shown(...requests: SignatureRequest[]): Promise<Signatures> {
  waiting = requests;
  const asked = new Signatures();
  await asked.load();
  return asked;
}

test('nothing is signed in the first second, of any request', async () => {
  const asked = await shown(request('a'), request('b'));
  vi.advanceTimersByTime(LOOK_MS - 1);
  await asked.sign();
  expect([asked.maySign, orders]).toEqual([false, []]);
  vi.advanceTimersByTime(1);
  // The second click of a double click comes when the next one is there.
  await asked.sign();
  await asked.sign();
  expect([asked.shown?.id, asked.maySign, orders]).toEqual(['b', false, ['POST approve a']]);
  vi.advanceTimersByTime(LOOK_MS);
  await Promise.all([asked.sign(), asked.sign()]);
  expect([asked.shown, orders]).toEqual([null, ['POST approve a', 'POST approve b']]);
});

test('what is shown stays where its program takes it back, and is neither signed nor refused', async () => {
  const asked = await shown(request('a'));
  vi.advanceTimersByTime(LOOK_MS);
  waiting = [request('b')];
  await asked.load();
  expect([asked.shown?.id, asked.gone]).toEqual(['a', true]);
  await asked.sign();
  await asked.refuse();
  expect(orders).toEqual([]);
  await asked.close();
  expect([asked.shown?.id, asked.gone, asked.maySign]).toEqual(['b', false, false]);
});

test('other words under the same name do not take the place of what is shown', async () => {
  const asked = await shown(request('a', 'Log in'));
  waiting = [request('a', 'send everything')];
  await asked.load();
  expect(asked.shown?.content).toEqual({ type: 'text', text: 'Log in' });
});

test('what is put off makes room for the next, and does not come back', async () => {
  const asked = await shown(request('a'), request('b'));
  await asked.close();
  expect(asked.shown?.id).toBe('b');
  await asked.refuse();
  await asked.load();
  expect([asked.shown, orders]).toEqual([null, ['POST refuse b']]);
});
