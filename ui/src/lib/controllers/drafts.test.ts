import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Attachment } from '$lib/api/generated';

const file = (id: string, more: Partial<Attachment> = {}): Attachment => ({ id, name: `${id}.txt`, media_type: 'text/plain', bytes: 3, characters: 3, is_cut: false, ...more });
const asked: string[] = [];
let answers: (url: string, init: RequestInit) => Promise<Response>;

/** The page loaded anew: what it kept is what there is. */
async function loaded() {
  vi.resetModules();
  return import('./drafts.svelte');
}

beforeEach(() => {
  sessionStorage.clear();
  asked.length = 0;
  answers = async (url) => Response.json(file(new URL(url, 'http://x').searchParams.get('name') ?? ''));
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    asked.push(`${init.method} ${url}`);
    return answers(url, init);
  });
});
afterEach(() => vi.unstubAllGlobals());
const settle = () => new Promise((done) => setTimeout(done, 5));

test('a file is read, sent as it is, and there again when the page is loaded again', async () => {
  const { drafts } = await loaded();
  let sent: unknown;
  answers = async (_, init) => {
    sent = [init.body, (init.headers as Record<string, string>)['Content-Type']];
    return Response.json(file('f1', { name: 'a b.txt', is_cut: true }));
  };
  const given = new File(['abc'], 'a b.txt');
  drafts.attach('c', [given]);
  expect(drafts.files('c')).toMatchObject([{ name: 'a b.txt', bytes: 3, file: null, error: null }]);
  expect(drafts.ready('c')).toEqual([]);
  await settle();
  expect(asked).toEqual(['POST /api/v1/attachments?name=a+b.txt']);
  expect(sent).toEqual([given, 'application/octet-stream']);
  expect(drafts.ready('c')).toMatchObject([{ id: 'f1', is_cut: true }]);
  drafts.write('c', ' half ');
  const again = (await loaded()).drafts;
  expect(again.text('c')).toBe(' half ');
  expect(again.ready('c')).toMatchObject([{ id: 'f1' }]);
});

test('one that cannot be read says why and is not sent; taking it out asks for nothing', async () => {
  const { drafts } = await loaded();
  answers = async () => Response.json({ error: { code: 'bad_request', message: 'a picture', remedy: null } }, { status: 400 });
  drafts.attach('c', [new File(['x'], 'a.png')]);
  await settle();
  const [one] = drafts.files('c');
  expect(one?.error).toMatchObject({ code: 'bad_request', message: 'a picture' });
  expect(drafts.ready('c')).toEqual([]);
  drafts.remove('c', one?.key ?? 0);
  expect(drafts.files('c')).toEqual([]);
  expect(asked).toHaveLength(1);
});

test('a file that is larger than the node takes does not travel', async () => {
  const { drafts } = await loaded();
  const large = new File(['x'], 'large.log');
  Object.defineProperty(large, 'size', { value: 21 * 2 ** 20 });
  drafts.attach('c', [large]);
  await settle();
  expect(asked).toEqual([]);
  expect(drafts.files('c')[0]?.error?.message).toMatch(/20 MiB/);
});

test('a file that was read is forgotten by the node when it is taken out; one that is being read is not waited for', async () => {
  const { drafts } = await loaded();
  drafts.attach('c', [new File(['x'], 'a')]);
  await settle();
  drafts.remove('c', drafts.files('c')[0]?.key ?? 0);
  expect(asked.at(-1)).toBe('DELETE /api/v1/attachments/a');
  answers = (_, init) => new Promise((_done, fail) => init.signal?.addEventListener('abort', () => fail(new DOMException('', 'AbortError'))));
  drafts.attach('c', [new File(['x'], 'b')]);
  drafts.remove('c', drafts.files('c')[0]?.key ?? 0);
  await settle();
  expect(drafts.files('c')).toEqual([]);
});

test('what was sent in vain comes back, before what was attached since', async () => {
  const { drafts } = await loaded();
  drafts.write('c', ' ask ');
  drafts.attach('c', [new File(['x'], 'a')]);
  await settle();
  const taken = drafts.takeAll('c');
  expect([taken.text, taken.files.length, drafts.text('c'), drafts.files('c').length]).toEqual(['ask', 1, '', 0]);
  drafts.attach('c', [new File(['x'], 'b')]);
  await settle();
  drafts.restore('c', taken.text, taken.files);
  expect(drafts.text('c')).toBe('ask');
  expect(drafts.ready('c').map((one) => one.id)).toEqual(['a', 'b']);
  drafts.write('c', 'typed since');
  drafts.restore('c', 'ask', []);
  expect(drafts.text('c')).toBe('typed since');
});

test('more files than belong to one question are left out, in words', async () => {
  const { attach, drafts, MOST_FILES } = await loaded();
  const { toasts: shown } = await import('./toasts.svelte');
  attach('c', Array.from({ length: MOST_FILES + 2 }, (_, at) => new File(['x'], `f${at}`)));
  expect(drafts.files('c')).toHaveLength(MOST_FILES);
  expect(shown.list.at(-1)?.title).toMatch(/At most 20 files/);
});

test('what was kept and is no draft is not taken for one', async () => {
  sessionStorage.setItem('hearth.drafts', '{"c":7,"d":"words"}');
  sessionStorage.setItem('hearth.files', '{"c":[{"id":1}],"d":"x"}');
  const { drafts } = await loaded();
  expect([drafts.text('c'), drafts.text('d'), drafts.files('c'), drafts.files('d')]).toEqual(['', 'words', [], []]);
  sessionStorage.setItem('hearth.drafts', '{');
  expect((await loaded()).drafts.text('d')).toBe('');
});
