// The sign-in of a browser: a cookie, which every port of the computer gets, and the key of the page, which none gets.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { beforeEach, test } from 'node:test';
import { browser, enter, holds, mock, open, page, stage } from './support.mjs';

stage();
beforeEach(() => enter('wallet', { ready: 'accounts' }));

/** A server of somebody else on this computer; gives the heads of the requests that it gets. */
async function stranger(answer = (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>stranger</h1>')) {
  const heads = [];
  const server = createServer((request, response) => {
    heads.push(request.headers);
    answer(request, response);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const stop = () => new Promise((done) => (server.closeAllConnections(), server.close(done)));
  return { url: `http://127.0.0.1:${server.address().port}/`, heads, stop };
}

const call = (headers, path = '/status', method = 'GET') => fetch(`${mock.url}/api/v1${path}`, { method, headers });
const inAnotherTab = async (url) => {
  const other = await page.context().newPage();
  await other.goto(url);
  return other;
};

test('another port of this computer gets the cookie and can do nothing with it', async () => {
  const other = await stranger();
  try {
    const tab = await inAnotherTab(other.url);
    await tab.getByText('stranger').waitFor();
    const [{ cookie }] = other.heads;
    assert.match(cookie, /hearth_session_\d+=[0-9a-f]{32}/, 'the browser sends it there');
    for (const head of [{ cookie }, { cookie, 'x-hearth-page': '0'.repeat(64) }, { cookie, 'x-hearth-page': cookie.split('=')[1] }]) {
      for (const [path, method] of [['/status', 'GET'], ['/wallet', 'GET'], ['/wallet/lock', 'POST'], ['/auth/session', 'DELETE']]) {
        const refused = await call(head, path, method);
        assert.deepEqual([refused.status, (await refused.json()).error.code], [401, 'page_key_needed'], `${method} ${path}`);
      }
    }
    // Its pages have nothing of ours either.
    assert.equal(await tab.evaluate(() => localStorage.length), 0);
    assert.equal(JSON.stringify(other.heads).includes('x-hearth-page'), false);
    // The page itself goes on, with both.
    await page.reload();
    await page.getByTestId('accounts').waitFor();
    const key = await page.evaluate(() => localStorage.getItem('hearth.page-key'));
    assert.equal((await call({ cookie, 'x-hearth-page': key })).status, 200);
  } finally {
    await other.stop();
  }
});

test('a cookie without its key, as from an older version, asks for a sign-in, and the link with the token gives one', async () => {
  await page.evaluate(() => localStorage.removeItem('hearth.page-key'));
  await page.reload();
  await page.locator('#secret').waitFor();
  const before = mock.calls.length;
  await page.locator('#secret').fill('mock-token');
  await page.keyboard.press('Enter');
  await page.getByTestId('accounts').waitFor();
  assert.ok(mock.calls.slice(before).some((call) => call.name === 'POST /auth/session'));
  await page.evaluate(() => localStorage.removeItem('hearth.page-key'));
  // Only the fragment differs, so the page has to be left for the link to count.
  await page.goto('about:blank');
  await page.goto(mock.link('wallet'));
  await page.getByTestId('accounts').waitFor();
});

test('a sign-in that ended elsewhere is said to have ended, one that never was or was left is not', async () => {
  // A new password elsewhere ends it.
  mock.signIns.clear();
  await page.getByRole('link', { name: 'Network' }).first().click();
  await page.getByTestId('signed-out').waitFor();
  await holds(async () => assert.match(await page.getByTestId('signed-out').innerText(), /You were signed out: the password was changed/));
  await holds(async () => assert.match(await page.locator('form .note').innerText(), /prints its path.*api-token/));
  await page.reload();
  await page.getByTestId('signed-out').waitFor();
  await page.locator('#secret').fill('mock-token');
  await page.keyboard.press('Enter');
  await page.locator('#secret').waitFor({ state: 'detached' });
  await page.goto(`${mock.url}/settings/access`);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.locator('#secret').waitFor();
  await holds(async () => assert.equal(await page.getByTestId('signed-out').count(), 0));
  await page.reload();
  await page.locator('#secret').waitFor();
  await holds(async () => assert.equal(await page.getByTestId('signed-out').count(), 0));
});

test('a second tab is signed in with the first, out with it, and in again', async () => {
  const second = await inAnotherTab(`${mock.url}/wallet`);
  await second.getByTestId('accounts').waitFor();
  await page.goto(`${mock.url}/settings/access`);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.locator('#secret').waitFor();
  await holds(async () => assert.equal(await page.evaluate(() => localStorage.getItem('hearth.page-key')), null));
  await second.reload();
  await second.locator('#secret').waitFor();
  await page.locator('#secret').fill('mock-token');
  await page.keyboard.press('Enter');
  await page.locator('#login-password').waitFor();
  await second.getByTestId('accounts').waitFor();
});

test('a private window knows nothing of the sign-in', async () => {
  const hidden = await open(browser, `${mock.url}/wallet`);
  try {
    await hidden.locator('#secret').waitFor();
    assert.deepEqual(hidden.wrong, []);
  } finally {
    await hidden.context().close();
  }
});

test('a new password gives a new sign-in, here and in the other tab', async () => {
  const second = await inAnotherTab(`${mock.url}/wallet`);
  await second.getByTestId('accounts').waitFor();
  const keyNow = () => page.evaluate(() => localStorage.getItem('hearth.page-key'));
  const old = await keyNow();
  await page.goto(`${mock.url}/settings/access`);
  await page.locator('#login-password').fill('a long password');
  await page.getByRole('button', { name: 'Set password' }).click();
  await page.locator('.badge.ok', { hasText: 'set' }).waitFor();
  await holds(async () => assert.notEqual(await keyNow(), old));
  for (const tab of [page, second]) await tab.reload();
  await page.locator('#login-password').waitFor();
  await second.getByTestId('accounts').waitFor();
});
