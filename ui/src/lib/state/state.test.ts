import { describe, expect, test } from 'vitest';
import type { Conversation, ConversationSummary, EarnedSession, Event, Message, Status } from '$lib/api/generated';
import { EventSplitter } from '$lib/api/stream';
import { mergeConversations, mergeHits } from './chats';
import { emptyNode, mergeSessions, reduce } from './node';
import { leafBelow, reduceAnswer, shownBranch, splitThinking, thoughtSince } from './thread';

const status = { version: '1', earning: { state: 'off' }, head: null, wallet: {}, setup: {}, network: {} } as unknown as Status;
const session = (id: string, start: number, more = {}) =>
  ({ id, start_height: start, state: 'sealed', updated_at: '2026-11-21T19:00:00Z', ...more }) as EarnedSession;
const all = (...events: unknown[]) => (events as Event[]).reduce(reduce, emptyNode);

describe('events of the node', () => {
  test('status begins anew and asks every page to read again', () => {
    const before = all({ type: 'status', ...status }, { type: 'claim', ...session('a', 1) });
    const after = reduce(before, { type: 'status', ...status } as Event);
    expect(after.sessions).toEqual({});
    expect(after.status).toEqual(status);
    expect(after.revisions.claims).toBe(before.revisions.claims + 1);
  });
  test('parts of the status change alone', () => {
    const state = all({ type: 'status', ...status }, { type: 'head', height: 7 }, { type: 'earning', state: 'idle' }, { type: 'wallet', exists: true });
    expect(state.status).toMatchObject({ version: '1', head: { height: 7 }, earning: { state: 'idle' }, wallet: { exists: true } });
    expect(state.status?.head).not.toHaveProperty('type');
  });
  test('the mean block time is measured where the node says none', () => {
    const at = (height: number, second: number) => ({ type: 'head', height, time: `2026-11-21T19:42:${second}Z`, block_time_ms: null });
    const state = all({ type: 'status', ...status }, at(10, 10), at(11, 12), at(14, 18));
    expect(state.status?.head?.block_time_ms).toBe(2000);
    expect(all({ type: 'status', ...status }, at(10, 10), at(11, 12)).status?.head?.block_time_ms).toBeNull();
  });
  test('nothing is made up before the first status', () => expect(all({ type: 'head', height: 7 }).status).toBeNull());
  test('claims, downloads, chats and counters', () => {
    const state = all(
      { type: 'status', ...status },
      { type: 'claim', ...session('a', 1) },
      { type: 'claim', ...session('a', 1, { state: 'settled' }) },
      { type: 'download', cid: 'c', state: 'fetching' },
      { type: 'download', cid: 'c', state: 'ready' },
      { type: 'conversation', id: 'x', title: 't' },
      { type: 'conversation_deleted', id: 'x' },
      { type: 'relay', answered: 5, running: 1 },
      { type: 'balances', height: 3 },
    );
    expect(state.sessions['a']?.state).toBe('settled');
    expect(state.downloads['c']?.state).toBe('ready');
    expect(state.conversations['x']).toBe('deleted');
    expect(state.answered).toBe(5);
    expect(state.revisions).toMatchObject({ claims: 3, models: 2, balances: 2 });
  });
  test('an event of a newer node changes nothing', () => {
    const state = all({ type: 'status', ...status });
    expect(reduce(state, { type: 'from the future' } as unknown as Event)).toBe(state);
  });
  test('sessions that moved lie over those that were read, the newest first', () => {
    const merged = mergeSessions([session('b', 20), session('a', 1)], {
      a: session('a', 1, { state: 'settled', updated_at: '2026-11-21T19:00:01Z' }),
      b: session('b', 20, { state: 'of the same moment' }),
      c: session('c', 40),
    });
    expect(merged.map((one) => `${one.id} ${one.state}`)).toEqual(['c sealed', 'b sealed', 'a settled']);
  });
  test('chats: pinned first, then the newest; deleted ones are gone', () => {
    const chat = (id: string, updated_at: string, pinned = false) => ({ id, updated_at, pinned, title: id }) as never;
    const merged = mergeConversations([chat('a', '2026-01-01'), chat('b', '2026-01-02'), chat('p', '2025-01-01', true)], {
      a: chat('a', '2026-01-03'),
      b: 'deleted',
    });
    expect(merged.map((one) => one.id)).toEqual(['p', 'a']);
  });
  test('what was moved into a folder or the archive leaves the list that it does not fit', () => {
    const chat = (id: string, more = {}) => ({ id, updated_at: '2026-01-01', pinned: false, archived: false, folder: null, title: id, ...more }) as never;
    const moved = { a: chat('a', { folder: 'Work' }), b: chat('b', { archived: true }), d: chat('d') };
    const ids = (fits: (one: ConversationSummary) => boolean) => mergeConversations([chat('a'), chat('b'), chat('c')], moved, fits).map((one) => one.id).sort();
    expect(ids((one) => !one.archived && !one.folder)).toEqual(['c', 'd']);
    expect(ids((one) => one.folder === 'Work')).toEqual(['a']);
    expect(ids((one) => one.archived)).toEqual(['b']);
  });
  test('hits of a search keep their order and message, with what moved since', () => {
    const hit = (id: string, more = {}) => ({ id, title: id, snippet: `… ${id} …`, hit_id: `${id}1`, ...more }) as never;
    const found = mergeHits([hit('a'), hit('b'), hit('c')], { b: hit('b', { title: 'renamed', snippet: null, hit_id: null }), c: 'deleted' });
    expect(found.map((one) => [one.id, one.title, one.snippet, one.hit_id])).toEqual([['a', 'a', '… a …', 'a1'], ['b', 'renamed', '… b …', 'b1']]);
  });
});

const message = (id: string, parent_id: string | null, more: Partial<Message> = {}) =>
  ({ id, parent_id, role: 'user', content: id, state: 'done', created_at: '', ...more }) as Message;
const conversation = (messages: Message[], head_id: string | null): Conversation =>
  ({ id: 'c', title: '', pinned: false, created_at: '', updated_at: '', messages, head_id }) as Conversation;

describe('the tree of a conversation', () => {
  const tree = [message('q1', null), message('a1', 'q1'), message('q2', 'a1'), message('a2', 'q2'), message('q1b', null), message('a1b', 'q1b'), message('a1c', 'q1b')];
  test('the shown branch runs from the root to the head', () => {
    expect(shownBranch(conversation(tree, 'a2')).map((one) => one.message.id)).toEqual(['q1', 'a1', 'q2', 'a2']);
    const other = shownBranch(conversation(tree, 'a1c'));
    expect(other.map((one) => [one.message.id, one.index, one.siblings.length])).toEqual([['q1b', 1, 2], ['a1c', 1, 2]]);
  });
  test('a branch ends at its newest leaf', () => {
    expect(leafBelow(tree, 'q1')).toBe('a2');
    expect(leafBelow(tree, 'q1b')).toBe('a1c');
  });
  test('an answer is written and replaced by what the node kept', () => {
    let state = conversation([], null);
    const answer = message('a', 'q', { role: 'assistant', content: '', state: 'streaming' });
    state = reduceAnswer(state, null, { type: 'started', question: message('q', null), answer });
    state = reduceAnswer(state, 'a', { type: 'delta', text: 'Hel' });
    state = reduceAnswer(state, 'a', { type: 'delta', text: 'lo' });
    expect(shownBranch(state).map((one) => one.message.content)).toEqual(['q', 'Hello']);
    state = reduceAnswer(state, 'a', { type: 'finished', answer: { ...answer, content: 'Hello', state: 'done' } });
    expect(state.messages).toHaveLength(2);
    expect(state.messages[1]?.state).toBe('done');
    expect(state.answering).toBeNull();
  });
  test('who comes later gets the text so far once, and what follows after it', () => {
    const half = message('a', 'q', { role: 'assistant', content: 'Hel', state: 'streaming' });
    let state = { ...conversation([message('q', null), { ...half, content: 'He' }], 'a'), answering: 'a' };
    state = reduceAnswer(state, 'a', { type: 'started', question: null, answer: half }) as typeof state;
    state = reduceAnswer(state, 'a', { type: 'delta', text: 'lo' }) as typeof state;
    expect(state.messages.map((one) => one.content)).toEqual(['q', 'Hello']);
    state = reduceAnswer(state, 'a', { type: 'failed', answer: half, error: { code: 'x', message: 'y' } }) as typeof state;
    expect(state.answering).toBeNull();
  });
  test('an answer thinks since its first words, or since its time where they were written before', () => {
    const at = '2026-11-21T19:00:00Z';
    const now = Date.parse(at) + 20_000;
    expect(thoughtSince({ content: '<think>So', created_at: at }, now)).toBe(now);
    expect(thoughtSince({ content: `<think>${'long '.repeat(20)}`, created_at: at }, now)).toBe(now - 20_000);
    // Another computer's clock may be anywhere.
    expect(thoughtSince({ content: `<think>${'long '.repeat(20)}`, created_at: at }, now - 60_000)).toBe(now - 60_000);
    expect(thoughtSince({ content: `<think>${'long '.repeat(20)}`, created_at: at }, now + 7_200_000)).toBe(now + 7_200_000);
  });
  test('a failed answer keeps its text and says why', () => {
    const answer = message('a', 'q', { role: 'assistant', content: 'Half', state: 'failed' });
    const state = reduceAnswer(conversation([message('q', null), answer], 'a'), 'a', { type: 'failed', answer, error: { code: 'x', message: 'why' } });
    expect(state.messages[1]).toMatchObject({ content: 'Half', error: { message: 'why' } });
  });
  test('thinking is folded away, finished or not', () => {
    expect(splitThinking('<think>a</think>\n\nb')).toEqual({ thinking: 'a', open: false, answer: 'b' });
    expect(splitThinking('<think>a')).toEqual({ thinking: 'a', open: true, answer: '' });
    expect(splitThinking('no <think>')).toEqual({ thinking: '', open: false, answer: 'no <think>' });
  });
});

describe('server-sent events', () => {
  const bytes = new TextEncoder().encode(': hi\n\nevent: x\ndata: {"a":"ü"}\n\ndata: 1\ndata: 2\r\n\r\ndata:3\n\n');
  test.each([1, 2, 3, 7, 1000])('in pieces of %i bytes', (size) => {
    const splitter = new EventSplitter();
    const found: string[] = [];
    for (let at = 0; at < bytes.length; at += size) found.push(...splitter.push(bytes.slice(at, at + size)));
    expect(found).toEqual(['{"a":"ü"}', '1\n2', '3']);
  });
});
