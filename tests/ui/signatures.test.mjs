// Programs ask for signatures; the owner sees all of what would be signed, and decides.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { Mock } from './mock/server.mjs';
import { ADDRESSES } from './mock/world.mjs';
import { faults, holds, launch, open, shoot } from './support.mjs';

let browser, mock, page;
before(async () => (browser = await launch()));
after(() => browser.close());
afterEach(async () => {
  assert.deepEqual([...page.wrong, ...mock.faults], []);
  await page.context().close();
  await mock.stop();
});

const request = (id, content) => ({
  id, asked_by: 'Ledger of my club', address: ADDRESSES.main, asked_at: new Date().toISOString(),
  expires_at: new Date(Date.now() + 600_000).toISOString(), content, needs_password: true,
});
const transaction = {
  type: 'transaction', chain_id: 'pocket', memo: 'membership', fee: '2', gas: 77_000, timeout_height: null,
  messages: [{ '@type': '/cosmos.bank.v1beta1.MsgSend', from_address: ADDRESSES.main, to_address: ADDRESSES.working, amount: [{ denom: 'upokt', amount: '5000000' }] }],
};

async function at(options = {}) {
  mock = await new Mock('locked').start();
  page = await open(browser, mock.link('chat'), options);
  await page.locator('main h1').first().waitFor({ state: 'attached' });
}

test('What a program wants signed comes up on any page, one after the other', async () => {
  await at();
  const sheet = page.getByTestId('signature-sheet');
  await holds(async () => assert.equal(await sheet.count(), 0));
  mock.it.signatures = [request('s1', { type: 'text', text: 'I am the owner' }), request('s2', transaction)];
  mock.emit({ type: 'signatures' });
  await sheet.getByText('I am the owner').waitFor();
  await sheet.getByText('Ledger of my club').waitFor();
  await page.waitForTimeout(300);
  await shoot(page, 'signature-text');
  assert.deepEqual(await faults(page), []);
  // Without the password nothing is asked of the node, with a wrong one it stays.
  await page.getByTestId('signature-approve').click({ force: true });
  await holds(async () => assert.ok(!mock.calls.some((call) => call.name.includes('/approve'))));
  await sheet.getByLabel('Wallet password').fill('wrong');
  await page.getByTestId('signature-approve').click();
  await sheet.getByRole('alert').first().waitFor();
  await sheet.getByLabel('Wallet password').fill(mock.it.password);
  await page.getByTestId('signature-approve').click();

  await sheet.getByText(ADDRESSES.working).first().waitFor();
  await holds(async () => assert.match(await page.getByTestId('signature-content').innerText(), /Sends money[\s\S]*From\s+pokt1[\s\S]*To\s+pokt1[\s\S]*Amount\s+5\.000000\sPOKT[\s\S]*membership/));
  await shoot(page, 'signature-transaction');
  assert.deepEqual(await faults(page), []);
  await page.getByTestId('signature-refuse').click();
  await sheet.waitFor({ state: 'detached' });
  await holds(async () => assert.deepEqual(mock.calls.filter((call) => /approve|refuse/.test(call.name)).map((call) => call.name.split('/').at(-1)), ['approve', 'approve', 'refuse']));
});

test('What is put off does not come back by itself; small and in German', async () => {
  await at({ locale: 'de-DE', viewport: { width: 320, height: 700 } });
  mock.it.signatures = [request('s1', transaction)];
  mock.emit({ type: 'signatures' });
  const sheet = page.getByTestId('signature-sheet');
  await sheet.getByText('Ein Programm bittet um Ihre Signatur').first().waitFor();
  await page.waitForTimeout(300);
  await shoot(page, 'signature-de-320');
  assert.deepEqual(await faults(page), []);
  await page.keyboard.press('Escape');
  await sheet.waitFor({ state: 'detached' });
  mock.emit({ type: 'signatures' });
  await page.waitForTimeout(200);
  await holds(async () => assert.equal(await sheet.count(), 0));
  mock.it.signatures.push(request('s2', { type: 'text', text: 'noch etwas' }));
  mock.emit({ type: 'signatures' });
  await sheet.getByText('noch etwas').waitFor();
});
