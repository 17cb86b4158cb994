// Answers are followed through broken connections, left without being stopped, and given up when they are gone.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { AnswerEvent, Message } from '$lib/api/generated';
import { Answers } from './answers.svelte';

type Open = { url: string; method: string; signal: AbortSignal; send: (event: AnswerEvent) => void; end: () => void; fail: () => void };
let opened: Open[] = [];
let refuse: number | null = null;
let stopped: string[] = [];

const message = (content: string, state: Message['state'] = 'streaming') => ({ id: 'a', role: 'assistant', content, state, created_at: '', attachments: [] }) as Message;

beforeEach(() => {
  vi.useFakeTimers();
  opened = [];
  stopped = [];
  refuse = null;
  vi.stubGlobal('fetch', async (url: string, { method = 'GET', signal }: RequestInit) => {
    if (method === 'DELETE') {
      stopped.push(url);
      return new Response(null, { status: 204 });
    }
    if (refuse) return new Response(JSON.stringify({ error: { code: 'not_found', message: 'gone' } }), { status: refuse });
    let to: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (to = controller) });
    const bytes = new TextEncoder();
    signal?.addEventListener('abort', () => to.error(new DOMException('left', 'AbortError')));
    opened.push({
      url, method, signal: signal as AbortSignal,
      send: (event) => to.enqueue(bytes.encode(`data: ${JSON.stringify(event)}\n\n`)),
      end: () => to.close(),
      fail: () => to.error(new TypeError('network')),
    });
    return new Response(body, { status: 200 });
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);
function made() {
  const seen: string[] = [];
  const answers = new Answers({
    take: (id, answer, event) => void seen.push(`${id}/${answer} ${event.type}${event.type === 'delta' ? ` ${event.text}` : ''}`),
    lost: (id) => void seen.push(`${id} lost`),
    left: (id) => void seen.push(`${id} left`),
  });
  return { answers, seen };
}
const at = (place: number): Open => {
  const one = opened[place];
  if (!one) throw new Error(`${opened.length} streams were opened`);
  return one;
};

test('an asked answer that breaks off is followed with a growing pause, to its end', async () => {
  const { answers, seen } = made();
  const whole = answers.ask('c', { content: 'hi' });
  await pass();
  at(0).send({ type: 'started', question: null, answer: message('') });
  at(0).send({ type: 'delta', text: 'Hel' });
  await pass(60);
  at(0).fail();
  await pass(400);
  expect(opened).toHaveLength(1);
  await pass(200);
  expect([at(1).method, at(1).url]).toEqual(['GET', '/api/v1/conversations/c/answers/a']);
  at(1).fail();
  await pass(900);
  expect(opened).toHaveLength(2);
  await pass(200);
  at(2).send({ type: 'started', question: null, answer: message('Hello') });
  at(2).send({ type: 'finished', answer: message('Hello', 'done') });
  await pass();
  await whole;
  expect(answers.runs).toEqual({});
  expect(seen).toEqual(['c/a started', 'c/a delta Hel', 'c/a started', 'c/a finished']);
});

test('what the node did not take is thrown, and nothing is followed', async () => {
  const { answers } = made();
  refuse = 404;
  await expect(answers.ask('c', { content: 'hi' })).rejects.toMatchObject({ code: 'not_found' });
  expect(answers.runs).toEqual({});
});

test('leaving a chat closes its stream and stops nothing; coming back follows again', async () => {
  const { answers, seen } = made();
  void answers.follow('c', 'a');
  await pass();
  at(0).send({ type: 'started', question: null, answer: message('He') });
  await pass();
  answers.leaveOthers('other');
  await pass(20_000);
  expect(at(0).signal.aborted).toBe(true);
  expect(opened.map((one) => one.method)).toEqual(['GET']);
  expect(seen.at(-1)).toBe('c left');
  expect(answers.runs).toEqual({});
  void answers.follow('c', 'a');
  await pass();
  expect(opened).toHaveLength(2);
});

test('one that is left before the node said which answer it is, is closed as soon as it does', async () => {
  const { answers } = made();
  void answers.ask('c', { content: 'hi' });
  await pass();
  answers.leaveOthers('other');
  expect(at(0).signal.aborted).toBe(false);
  at(0).send({ type: 'started', question: null, answer: message('') });
  await pass();
  expect(at(0).signal.aborted).toBe(true);
  expect(answers.runs).toEqual({});
});

test('an answer that is gone is given up', async () => {
  const { answers, seen } = made();
  refuse = 404;
  await Promise.all([answers.follow('c', 'a'), pass(10)]);
  expect(seen).toEqual(['c lost']);
  await pass(60_000);
  expect(answers.runs).toEqual({});
});

test('one that is stopped before the node said which it is, is stopped as soon as it does', async () => {
  const { answers } = made();
  void answers.ask('c', { content: 'hi' });
  await pass();
  await answers.stop('c');
  expect(stopped).toEqual([]);
  at(0).send({ type: 'started', question: null, answer: message('') });
  await pass();
  expect(stopped).toEqual(['/api/v1/conversations/c/answers/a']);
});

test('several answers at once', async () => {
  const { answers } = made();
  void answers.follow('c', 'a');
  void answers.follow('d', 'a');
  void answers.follow('d', 'a');
  await pass();
  expect(opened).toHaveLength(2);
  expect(Object.keys(answers.runs).sort()).toEqual(['c', 'd']);
  at(0).send({ type: 'finished', answer: message('', 'done') });
  await pass();
  expect(Object.keys(answers.runs)).toEqual(['d']);
});
