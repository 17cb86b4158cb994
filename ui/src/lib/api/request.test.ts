import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { call, whenSignedOut } from './request';
import { pageKey } from './pageKey';

type Sent = { path: string; key: string | null; answer: (status: number, body: unknown) => void };
let sent: Sent[];
const signedOut = vi.fn();

beforeEach(() => {
  localStorage.setItem('hearth.page-key', 'old');
  sent = [];
  signedOut.mockReset();
  whenSignedOut(signedOut);
  vi.stubGlobal('fetch', (path: string, { headers }: { headers: Record<string, string> }) => {
    return new Promise<Response>((done) => {
      const answer = (status: number, body: unknown) => done(new Response(JSON.stringify(body), { status }));
      sent.push({ path, key: headers['X-Hearth-Page'] ?? null, answer });
    });
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
  localStorage.clear();
});

const refusal = { error: { code: 'page_key_needed', message: 'no key' } };
const settled = () => new Promise((done) => setTimeout(done));

test('every call shows the key of the page, and a sign-in brings it', async () => {
  localStorage.clear();
  const signIn = call('POST /auth/session', { body: { token: 't' } });
  expect(sent[0]!.key).toBe(null);
  sent[0]!.answer(200, { page_key: 'fresh' });
  await signIn;
  expect(pageKey()).toBe('fresh');
  void call('GET /status');
  expect(sent[1]!.key).toBe('fresh');
});

test('a call that fell between an old sign-in and a new one waits for it and is sent again', async () => {
  const change = call('PUT /auth/login', { body: { password: 'a long password' } });
  const status = call('GET /status');
  sent[1]!.answer(401, refusal);
  await settled();
  expect(sent.length).toBe(2);
  sent[0]!.answer(200, { page_key: 'new' });
  await change;
  await vi.waitFor(() => expect(sent.length).toBe(3));
  expect([sent[2]!.path, sent[2]!.key]).toEqual(['/api/v1/status', 'new']);
  sent[2]!.answer(200, { version: '1' });
  expect(await status).toEqual({ version: '1' });
  expect(signedOut).not.toHaveBeenCalled();
});

test('a call that is refused with the key of now signs out, once, and is not sent again', async () => {
  const status = call('GET /status');
  sent[0]!.answer(401, refusal);
  await expect(status).rejects.toMatchObject({ status: 401 });
  expect([sent.length, signedOut.mock.calls.length]).toEqual([1, 1]);
});

test('a password that cannot be set signs out when the sign-in is over, and waits for nothing', async () => {
  const change = call('PUT /auth/login', { body: { password: 'a long password' } });
  sent[0]!.answer(401, refusal);
  await expect(change).rejects.toMatchObject({ status: 401 });
  expect(signedOut).toHaveBeenCalledTimes(1);
});

test('where the browser keeps nothing, the key holds for the page', async () => {
  vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
    throw new DOMException('full', 'QuotaExceededError');
  });
  localStorage.clear();
  const signIn = call('POST /auth/session', { body: { token: 't' } });
  sent[0]!.answer(200, { page_key: 'fresh' });
  await signIn;
  vi.restoreAllMocks();
  void call('GET /status');
  expect(sent[1]!.key).toBe('fresh');
});
