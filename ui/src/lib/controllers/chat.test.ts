// What is shown of a conversation, whatever order its news come in.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Conversation } from '$lib/api/generated';

const conversation = (state: string): Conversation =>
  ({ id: 'c', title: 'c', answering: state === 'streaming' ? 'a' : null, head_id: 'a', messages: [{ id: 'q', role: 'user', content: '?', state: 'done', parent_id: null }, { id: 'a', role: 'assistant', content: '', state, parent_id: 'q' }] }) as unknown as Conversation;
let given: Conversation;
const asked: string[] = [];

beforeEach(() => {
  vi.resetModules();
  asked.length = 0;
  history.replaceState(null, '', '/chat/c');
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    asked.push(`${init.method} ${new URL(url, 'http://x').pathname.slice('/api/v1'.length)}`);
    return Response.json(given);
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
  history.replaceState(null, '', '/');
});

test('what was read before an answer ended does not begin it again', async () => {
  const { chat } = await import('./chat.svelte');
  given = conversation('failed');
  await chat.show('c');
  given = conversation('streaming');
  await chat.catchUp('c');
  expect(chat.current?.messages[1]?.state).toBe('failed');
  expect([chat.busy, asked]).toEqual([false, ['GET /conversations/c', 'GET /conversations/c']]);
});
