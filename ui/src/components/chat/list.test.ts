import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ConversationSummary, Event } from '$lib/api/generated';
import { byDay } from './days';

const day = (back: number, now: Date) => new Date(now.getFullYear(), now.getMonth(), now.getDate() - back, 12).toISOString();
const one = (id: string, more: Partial<ConversationSummary> = {}): ConversationSummary => ({
  id, title: id, pinned: false, folder: null, archived: false, created_at: '', updated_at: '2026-11-01T00:00:00Z', messages: 1, ...more,
});

test('chats stand under their days, in the order they came in; pinned ones by themselves', () => {
  const now = new Date(2026, 10, 21, 9);
  const groups = byDay(
    [one('p', { pinned: true, updated_at: day(90, now) }), one('a', { updated_at: day(0, now) }), one('b', { updated_at: day(1, now) }), one('c', { updated_at: day(9, now) }), one('d', { updated_at: day(40, now) }), one('e', { updated_at: day(50, now) })],
    now,
  );
  expect(groups.map((group) => [group.title, group.isPinned, group.chats.map((chat) => chat.id).join()])).toEqual([
    ['Pinned', true, 'p'], ['Today', false, 'a'], ['Yesterday', false, 'b'], ['This month', false, 'c'], ['Older', false, 'd,e'],
  ]);
});

describe('the list', () => {
  const asked: string[] = [];
  let all: ConversationSummary[] = [];

  beforeEach(() => {
    asked.length = 0;
    localStorage.clear();
    all = [one('a'), one('b', { folder: 'Work' }), one('c', { folder: 'Work', pinned: true }), one('d', { archived: true })];
    vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
      const { pathname, searchParams } = new URL(url, 'http://x');
      asked.push(`${init.method} ${pathname.slice('/api/v1'.length)}?${searchParams}`);
      if (init.method === 'POST') {
        const { from, to } = JSON.parse(String(init.body)) as { from: string; to: string };
        all = all.map((chat) => (chat.folder === from ? { ...chat, folder: to || null } : chat));
        return new Response(null, { status: 204 });
      }
      const folder = searchParams.get('folder');
      const conversations = all.filter((chat) => chat.archived === (searchParams.get('archived') === 'true') && (!folder || chat.folder === folder));
      const names = [...new Set(all.filter((chat) => chat.folder && !chat.archived).map((chat) => chat.folder ?? ''))];
      return Response.json({ conversations, folders: names.map((name) => ({ name, conversations: all.filter((chat) => chat.folder === name).length })) });
    });
  });
  afterEach(() => vi.unstubAllGlobals());

  async function loaded() {
    vi.resetModules();
    const [{ chats }, { node }, { reduce }] = await Promise.all([import('$lib/controllers/chats.svelte'), import('$lib/controllers/node.svelte'), import('$lib/state/node')]);
    await chats.load();
    return { chats, tell: (chat: ConversationSummary) => (node.state = reduce(node.state, { type: 'conversation', ...chat } as Event)) };
  }
  const ids = (list: ConversationSummary[] | null) => list?.map((chat) => chat.id).join();

  test('shows what lies in no folder; a folder is read when it is opened, and stays open', async () => {
    const { chats } = await loaded();
    expect(ids(chats.list)).toBe('a');
    expect(chats.folders).toEqual([{ name: 'Work', conversations: 2 }]);
    expect(chats.inFolder('Work')).toBeNull();
    chats.toggle('Work');
    await vi.waitFor(() => expect(ids(chats.inFolder('Work'))).toBe('c,b'));
    expect(asked.at(-1)).toBe('GET /conversations?folder=Work&limit=500');
    const again = (await loaded()).chats;
    expect(again.isOpen('Work')).toBe(true);
    expect(ids(again.inFolder('Work'))).toBe('c,b');
  });
  test('follows what is told: into a new folder, out of one, into the archive', async () => {
    const { chats, tell } = await loaded();
    chats.toggle('Work');
    await vi.waitFor(() => expect(chats.inFolder('Work')).not.toBeNull());
    tell(one('a', { folder: 'Letters' }));
    tell(one('b'));
    expect(ids(chats.list)).toBe('b');
    expect(ids(chats.inFolder('Work'))).toBe('c');
    expect(chats.folders.map((folder) => folder.name)).toEqual(['Letters', 'Work']);
    tell(one('c', { folder: 'Work', archived: true }));
    expect(ids(chats.inFolder('Work'))).toBe('');
  });
  test('the archive is asked for by itself, a search goes over all', async () => {
    const { chats } = await loaded();
    chats.show('archived');
    await vi.waitFor(() => expect(ids(chats.list)).toBe('d'));
    expect(asked.at(-1)).toMatch(/archived=true/);
    chats.search('words');
    await chats.load();
    expect(asked.at(-1)).toMatch(/q=words/);
    expect(asked.at(-1)).not.toMatch(/archived/);
  });
  test('a renamed folder stays open; one that is emptied is gone', async () => {
    const { chats } = await loaded();
    chats.toggle('Work');
    await chats.renameFolder('Work', 'Office');
    expect([chats.isOpen('Office'), chats.isOpen('Work'), ids(chats.inFolder('Office'))]).toEqual([true, false, 'c,b']);
    await chats.renameFolder('Office', '');
    expect([chats.folders, chats.isOpen('Office'), ids(chats.list)]).toEqual([[], false, 'c,a,b']);
  });
});
