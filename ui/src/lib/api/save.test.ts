import { afterEach, expect, test, vi } from 'vitest';
import { saveTable } from './save';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const answers = (response: Response) => {
  const asked = vi.fn((_url: string, _options: RequestInit) => Promise.resolve(response));
  vi.stubGlobal('fetch', asked);
  return asked;
};

test('the file is the node’s own, under the name that it gives', async () => {
  const asked = answers(new Response('session\r\n', { headers: { 'content-disposition': 'attachment; filename="hearth-sessions.csv"' } }));
  const saved: Blob[] = [];
  Object.assign(URL, { createObjectURL: (file: Blob) => (saved.push(file), 'blob:x'), revokeObjectURL: () => {} });
  const clicked = vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (this: HTMLAnchorElement) {
    expect([this.download, this.href]).toEqual(['hearth-sessions.csv', 'blob:x']);
  });
  await saveTable('GET /earning/sessions.csv');
  expect(clicked).toHaveBeenCalledOnce();
  expect(asked.mock.calls[0]?.[0]).toBe('/api/v1/earning/sessions.csv');
  expect(asked.mock.calls[0]?.[1]).toMatchObject({ method: 'GET', credentials: 'same-origin' });
  expect(await saved[0]?.text()).toBe('session\r\n');
});
test('a refusal is said as any other', async () => {
  answers(new Response(JSON.stringify({ error: { code: 'internal', message: 'it failed' } }), { status: 500 }));
  await expect(saveTable('GET /wallet/history.csv')).rejects.toMatchObject({ status: 500, code: 'internal' });
});
